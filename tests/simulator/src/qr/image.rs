//! `GET /connect/qrcode/<uuid>`: the picture.
//!
//! WeChat sends a JPEG; a PNG is smaller for two colours and as good to everybody who shows or reads it: browsers and
//! programs that scan go by the bytes, not by the name.

use axum::http::StatusCode;
use fast_qr::{ECL, QRBuilder, QRCode};
use png::{BitDepth, Encoder, EncodingError};

use super::IMAGES;
use crate::{ledger::Outcome, receive::Received, wire::Answer, world::World};

/// Pixels of a module, and modules of white around the code.
const SCALE: usize = 8;
const QUIET: usize = 4;

pub(crate) fn answer(world: &mut World, received: &Received) -> Answer {
    let uuid = received.path.strip_prefix(IMAGES).unwrap_or_default();
    let picture = world.qr_code(Some(uuid)).ok().and_then(|code| {
        let phone = format!("{}/_simulator/phone?uuid={}", received.origin, code.uuid);
        png(&QRBuilder::new(phone).ecl(ECL::M).build().ok()?).ok()
    });
    match picture {
        Some(picture) => Answer::new(StatusCode::OK, "image/png", picture, Outcome::Ok),
        None => Answer::new(StatusCode::NOT_FOUND, "text/plain", Vec::new(), Outcome::NotFound),
    }
}

fn png(code: &QRCode) -> Result<Vec<u8>, EncodingError> {
    let modules = code.size + 2 * QUIET;
    let side = u32::try_from(modules * SCALE).unwrap_or(u32::MAX);
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, side, side);
    // One bit for a pixel, which is a shade of grey.
    encoder.set_depth(BitDepth::One);
    let pixels: Vec<u8> = (0..modules).flat_map(|row| line(code, row).repeat(SCALE)).collect();
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(file)
}

/// A row of modules. With eight pixels to a module, a module is a byte.
fn line(code: &QRCode, row: usize) -> Vec<u8> {
    let dark = |row: usize, column: usize| {
        let inside = |index: usize| index.checked_sub(QUIET).filter(|index| *index < code.size);
        let (row, column) = (inside(row)?, inside(column)?);
        code.data.get(row * code.size + column).map(|module| module.value())
    };
    let byte = |column| if dark(row, column) == Some(true) { 0 } else { 0xff };
    (0..code.size + 2 * QUIET).map(byte).collect()
}
