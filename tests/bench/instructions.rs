//! How many instructions a warm request takes in user space, beside its floor: counted by callgrind, a tool of
//! [valgrind](https://valgrind.org/docs/manual/cl-manual.html), which runs a program on a processor of its own making.
//!
//! A count is the same on a busy machine as on an idle one, so it may fail where a time may not. Each side's processes
//! work at [`FEW`] logins, and others at [`MANY`]; what lies between is warm requests and nothing else, neither the
//! start nor the first of everything. Still it is no constant: maps are hashed with random keys, a big number has
//! leading zeros once in a while, and a task is polled as often as its connection wakes it. [`MOST`] leaves room for
//! those.
//!
//! Only what is built for release is counted: what is built for tests is too slow under callgrind for its own limits of
//! time, and answers that DynamoDB or WeChat came too late.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use harness::{Failure, Result};

use crate::{
    figures::{Table, judged, number},
    login::{REQUESTS, SILENT, Side},
    process::Program,
    world::World,
};

/// How many logins there are before those that are counted.
const FEW: usize = 3;
/// And how many with those.
const MANY: usize = 11;
/// The largest multiples of the floor's instructions in each of [`REQUESTS`]: what was measured, and a tenth.
const MOST: [f64; 3] = [1.31, 1.21, 1.32];

/// Counts; the table, and where a request takes more of its floor than it may. `None` where there is no valgrind.
pub async fn measure(world: &World) -> Result<Option<(String, Vec<String>)>> {
    let Some(valgrind) = valgrind() else { return Ok(None) };
    let (ours, floor) =
        (difference(world, &valgrind, Side::ours).await?, difference(world, &valgrind, Side::floor).await?);
    let mut table = Table::new(["", "instructions", "of a warm request, in thousands", "of the floor"]);
    let mut complaints = Vec::new();
    let whole = [ours, floor].map(|side| side.iter().sum::<f64>());
    for (((request, ours), floor), most) in REQUESTS.into_iter().zip(ours).zip(floor).zip(MOST) {
        let multiple = ours / floor;
        if multiple > most {
            complaints.push(format!("{request}: {multiple:.2} times its floor's instructions, over {most}"));
        }
        table.row([
            format!("`{request}`, warm"),
            judged(multiple, most),
            format!("{:.0}", ours / 1000.0),
            format!("{:.0}", floor / 1000.0),
        ]);
    }
    let [ours, floor] = whole;
    table.row([
        "all three".to_owned(),
        format!("{:.2}", ours / floor),
        format!("{:.0}", ours / 1000.0),
        format!("{:.0}", floor / 1000.0),
    ]);
    let text = format!(
        "In user space, by callgrind, {} warm requests of each, only WeChat behind TLS. The multiple of the floor comes first; more \
         than {MOST:?} fails.\n\n{}",
        MANY - FEW,
        table.text(),
    );
    Ok(Some((text, complaints)))
}

/// What a warm request of a side takes.
async fn difference(world: &World, valgrind: &Path, side: fn(&World) -> Result<Side>) -> Result<[f64; 3]> {
    let few = counted(world, valgrind, side(world)?, FEW).await?;
    let many = counted(world, valgrind, side(world)?, MANY).await?;
    let mut warm = [0.0; 3];
    for ((warm, few), many) in warm.iter_mut().zip(few).zip(many) {
        *warm = number(many.saturating_sub(few)) / number((MANY - FEW) as u64);
    }
    Ok(warm)
}

/// What the three processes of a side took from their start to their end.
async fn counted(world: &World, valgrind: &Path, side: Side, logins: usize) -> Result<[u64; 3]> {
    let directory = tempfile::tempdir()?;
    let logs = REQUESTS.map(|request| directory.path().join(request));
    let mut side = side
        .run_by(|request, program| under(valgrind, &directory.path().join(request), world.at_hand(program)));
    side.work(world, SILENT, logins).await?;
    let mut counts = [0; 3];
    for (count, log) in counts.iter_mut().zip(&logs) {
        *count = collected(&fs::read_to_string(log)?)?;
    }
    Ok(counts)
}

/// The same program, run by callgrind, which says in a file what it counted.
fn under(valgrind: &Path, log: &Path, program: Program) -> Program {
    let mut arguments = vec![
        "--tool=callgrind".to_owned(),
        "--callgrind-out-file=/dev/null".to_owned(),
        format!("--log-file={}", log.display()),
        program.binary.display().to_string(),
    ];
    arguments.extend(program.arguments);
    Program { binary: valgrind.to_owned(), arguments, copies: None, ..program }
}

/// The number in "==123== Collected : 4567".
fn collected(log: &str) -> Result<u64> {
    let number = log.lines().find_map(|line| line.split("Collected : ").nth(1));
    let number = number.ok_or_else(|| Failure::new(format!("callgrind did not count: {log}")))?;
    Ok(number.trim().parse()?)
}

/// Where valgrind is.
fn valgrind() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join("valgrind")).find(|file| file.is_file())
}
