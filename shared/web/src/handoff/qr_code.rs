//! A QR code as a picture that a phone can keep.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fast_qr::{ECL, QRBuilder};

/// A PNG of one bit a pixel, as an address; `None` if the text is longer than a code can hold.
pub(super) fn picture(text: &str) -> Option<String> {
    /// Pixels a module, and modules around the code ([ISO/IEC 18004 §5.3.8](https://www.iso.org/standard/83389.html)).
    const SCALE: usize = 8;
    const QUIET: usize = 4;
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    let modules = code.size + 2 * QUIET;
    let side = modules * SCALE;
    // SCALE is eight: each module is one byte.
    let blank = vec![0xff; modules];
    let drawn = code.data.get(..code.size * code.size)?.chunks(code.size).map(|row| {
        let dark = row.iter().map(|module| if module.value() { 0 } else { 0xff });
        let quiet = std::iter::repeat_n(0xff, QUIET);
        quiet.clone().chain(dark).chain(quiet).collect::<Vec<u8>>()
    });
    let quiet = std::iter::repeat_n(blank, QUIET);
    let lines = quiet.clone().chain(drawn).chain(quiet);
    let pixels: Vec<u8> = lines.flat_map(|line| std::iter::repeat_n(line, SCALE).flatten()).collect();
    let mut file = Vec::new();
    let side = u32::try_from(side).ok()?;
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&pixels).ok()?;
    writer.finish().ok()?;
    Some(format!("data:image/png;base64,{}", BASE64.encode(&file)))
}
