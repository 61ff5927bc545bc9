//! Makes what `site` serves of `login.js` and `login.d.ts`: the text, and the same compressed, as base64.
//!
//! API Gateway compresses nothing, and takes bytes as base64 only. Compressed here, the function needs no compressor,
//! and the same sources give the same bytes: gzip's header holds no time and no name. Zopfli takes its time, and saves
//! a fortieth of what everybody loads.

#[path = "src/without_comments.rs"]
mod without_comments;

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use without_comments::without_comments;

#[expect(clippy::disallowed_methods, reason = "where a build script writes to")]
fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/without_comments.rs");
    for (name, is_served_without_comments) in [("login.js", true), ("login.d.ts", false)] {
        println!("cargo::rerun-if-changed={name}");
        let source = fs::read_to_string(name)?;
        let text = if is_served_without_comments { without_comments(&source) } else { source };
        let mut compressed = Vec::new();
        zopfli::compress(zopfli::Options::default(), zopfli::Format::Gzip, text.as_bytes(), &mut compressed)?;
        fs::write(out.join(format!("{name}.gz.base64")), STANDARD.encode(compressed))?;
        fs::write(out.join(name), text)?;
    }
    Ok(())
}
