//! `GET /connect/qrcode/<uuid>`: the picture.
//!
//! WeChat sends a JPEG. A PNG of two colours needs no compression to be small, and no library to be written: one
//! header, one block of bits that is stored as it is, one end. Browsers go by the bytes, not by the name.

use axum::http::StatusCode;
use fast_qr::{ECL, QRBuilder, QRCode};

use super::IMAGES;
use crate::{ledger::Outcome, receive::Received, wire::Answer, world::World};

/// Pixels of a module, and modules of white around the code.
const SCALE: usize = 8;
const QUIET: usize = 4;

pub(crate) fn answer(world: &mut World, received: &Received) -> Answer {
    let uuid = received.path.strip_prefix(IMAGES).unwrap_or_default();
    let picture = world.qr_code(Some(uuid)).ok().and_then(|code| {
        let phone = format!("{}/_simulator/phone?uuid={}", received.origin, code.uuid);
        QRBuilder::new(phone).ecl(ECL::M).build().ok()
    });
    match picture {
        Some(code) => Answer::new(StatusCode::OK, "image/png", png(&code), Outcome::Ok),
        None => Answer::new(StatusCode::NOT_FOUND, "text/plain", Vec::new(), Outcome::NotFound),
    }
}

fn png(code: &QRCode) -> Vec<u8> {
    let side = (code.size + 2 * QUIET) * SCALE;
    let width = u32::try_from(side).unwrap_or(u32::MAX).to_be_bytes();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    // One bit for a pixel, which is a shade of grey.
    chunk(&mut file, *b"IHDR", &[&width, &width, &[1, 0, 0, 0, 0][..]].concat());
    let rows: Vec<Vec<u8>> = (0..code.size + 2 * QUIET).map(|row| line(code, row)).collect();
    let mut pixels = Vec::new();
    for row in rows {
        for _ in 0..SCALE {
            // Every line begins with its filter: none.
            pixels.push(0);
            pixels.extend_from_slice(&row);
        }
    }
    chunk(&mut file, *b"IDAT", &stored(&pixels));
    chunk(&mut file, *b"IEND", &[]);
    file
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

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    file.extend_from_slice(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    let body = [&kind[..], data].concat();
    file.extend_from_slice(&body);
    file.extend_from_slice(&crc32(&body).to_be_bytes());
}

/// zlib, with nothing compressed.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let blocks = data.chunks(0xffff);
    let last = blocks.len().saturating_sub(1);
    for (index, block) in blocks.enumerate() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        stream.push(u8::from(index == last));
        stream.extend_from_slice(&length.to_le_bytes());
        stream.extend_from_slice(&(!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    stream.extend_from_slice(&adler32(data).to_be_bytes());
    stream
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| {
                if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
            },
        )
    })
}

fn adler32(bytes: &[u8]) -> u32 {
    let (low, high) = bytes.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65521;
        (low, (high + low) % 65521)
    });
    high << 16 | low
}

#[cfg(test)]
mod tests {
    use super::{adler32, crc32};

    /// The check values of both algorithms.
    #[test]
    fn checksums() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }
}
