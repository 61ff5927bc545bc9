//! What `sam build` left, before it is deployed: a partial build, or one for another processor, deploys without a word
//! and answers nobody.

use std::{fmt, fs, path::Path};

use harness::{Failure, Result, template::Template};

/// A processor of Lambda's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Architecture {
    /// What the template takes if nothing else is said.
    Arm64,
    /// Intel's and AMD's.
    X86_64,
}

impl Architecture {
    /// The one that it is not.
    pub const fn other(self) -> Self {
        match self {
            Self::Arm64 => Self::X86_64,
            Self::X86_64 => Self::Arm64,
        }
    }

    /// By the header of an [ELF file](https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html).
    fn of(executable: &[u8]) -> Option<Self> {
        match (executable.strip_prefix(b"\x7fELF")?.get(14..16)?, executable.get(5)?) {
            ([183, 0], 1) => Some(Self::Arm64),
            ([62, 0], 1) => Some(Self::X86_64),
            _ => None,
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        })
    }
}

/// The processor that all functions of a build are for.
///
/// # Errors
///
/// When a function is not there or is no executable, and when two are for different processors.
pub fn architecture(build: &Path) -> Result<Architecture> {
    let template = Template::read(&build.join("template.yaml"))
        .map_err(|failure| failure.during("nothing was built; `make sam-build` builds it"))?;
    let mut all: Option<(Architecture, String)> = None;
    for function in template.functions() {
        let id = function.logical_id;
        let (_, properties) = template
            .resources("AWS::Serverless::Function")
            .find(|(name, _)| *name == id)
            .ok_or_else(|| Failure::new(format!("no {id}")))?;
        let directory = properties["CodeUri"].as_str().filter(|path| *path != ".");
        let directory =
            directory.ok_or_else(|| Failure::new(format!("a partial build: {id} was not built")))?;
        let bootstrap = build.join(directory).join("bootstrap");
        let executable = fs::read(&bootstrap).map_err(|error| {
            Failure::from(error).during(format!("a partial build: {}", bootstrap.display()))
        })?;
        let found = Architecture::of(&executable)
            .ok_or_else(|| Failure::new(format!("{} is no executable for Lambda", bootstrap.display())))?;
        match &all {
            Some((other, another)) if *other != found => {
                return Err(Failure::new(format!("{id} is built for {found}, {another} for {other}")));
            }
            _ => all = Some((found, id)),
        }
    }
    all.map(|(architecture, _)| architecture).ok_or_else(|| Failure::new("the template has no function"))
}

/// Whether a build fits the parameter `Architecture` of a deployment.
///
/// # Errors
///
/// As [`architecture`], and when it does not.
pub fn require(build: &Path, wanted: Architecture) -> Result<()> {
    let found = architecture(build)?;
    if found == wanted {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the wrong processor: the functions are built for {found}, to be deployed for {wanted}"
    )))
}

/// Makes a partial build of a whole one, as `sam build FUNCTION` leaves it, and one for two processors; fails if either
/// would be deployed, or the whole one for the processor that it is not for.
pub fn refuse_what_is_not_whole(build: &Path) -> Result<()> {
    let whole = architecture(build)?;
    let copy = tempfile::tempdir()?;
    let template = fs::read_to_string(build.join("template.yaml"))?;
    let Some((before, after)) = template.rsplit_once("CodeUri: ") else {
        return Err(Failure::new("no function of the build has code"));
    };
    let (directory, after) = after.split_once('\n').unwrap_or((after, ""));
    fs::write(copy.path().join("template.yaml"), format!("{before}CodeUri: .\n{after}"))?;
    for entry in build.read_dir()? {
        let entry = entry?;
        if entry.path().is_dir() {
            let target = copy.path().join(entry.file_name());
            fs::create_dir(&target)?;
            fs::copy(entry.path().join("bootstrap"), target.join("bootstrap"))?;
        }
    }
    expect_refusal("a partial build", architecture(copy.path()))?;
    fs::write(copy.path().join("template.yaml"), &template)?;
    let bootstrap = copy.path().join(directory).join("bootstrap");
    let mut executable = fs::read(&bootstrap)?;
    for_the_other_processor(&mut executable);
    fs::write(&bootstrap, executable)?;
    expect_refusal("a build for two processors", architecture(copy.path()))?;
    fs::remove_file(&bootstrap)?;
    expect_refusal("a build without a bootstrap", architecture(copy.path()))?;
    expect_refusal("a build for the other processor", require(build, whole.other()))
}

/// Makes an executable one for the processor that it is not for, by its header.
pub fn for_the_other_processor(executable: &mut [u8]) {
    let machine = if Architecture::of(executable) == Some(Architecture::Arm64) { 62 } else { 183 };
    if let Some(byte) = executable.get_mut(18) {
        *byte = machine;
    }
}

fn expect_refusal<T>(what: &str, judged: Result<T>) -> Result<()> {
    match judged {
        Ok(_) => Err(Failure::new(format!("{what} would be deployed"))),
        Err(refusal) => {
            println!("    {what}: {refusal}");
            Ok(())
        }
    }
}
