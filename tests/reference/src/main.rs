//! `make docs-reference`: writes the reference tables into the pages of `docs/`.

use std::fs;

use harness::{Result, binaries::workspace};
use reference::{Language, rewrite, template};

fn main() -> Result<()> {
    let template = template()?;
    for language in Language::ALL {
        let folder = workspace().join("docs").join(language.folder()).join("reference");
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let page = fs::read_to_string(&path)?;
            let rewritten = rewrite(&page, language, &template)?;
            if rewritten != page {
                fs::write(&path, rewritten)?;
            }
        }
    }
    Ok(())
}
