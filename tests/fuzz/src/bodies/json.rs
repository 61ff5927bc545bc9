//! JSON as WeChat writes it, parsed by hand: bytes below a space are spaces wherever they stand, what
//! is not UTF-8 and what is half of a surrogate pair is U+FFFD, and keys may repeat.

/// A value. Numbers keep their spelling.
#[derive(Debug)]
pub enum Json {
    /// `null`.
    Null,
    /// `false`.
    False,
    /// `true`.
    True,
    /// A number, as it is written.
    Number(String),
    /// A string, decoded.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object, with every key it has.
    Object(Vec<(String, Self)>),
}

/// How deep a body may nest before the two parsers need not agree any more.
const DEEPEST: usize = 100;

impl Json {
    /// The keys and values of an object.
    #[must_use]
    pub fn object(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// A whole number of 64 bits, or a string that holds one.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Number(number) if number != "-0" => number.parse().ok(),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

/// Why there is no value.
enum Stop {
    /// This is not JSON.
    Broken,
    /// This nests too deeply, or has a number beyond all bounds.
    Exotic,
}

/// Parses a body. The outer `None` says that it is too exotic to be compared, the inner one that it is
/// not JSON.
#[must_use]
pub fn read(body: &[u8]) -> Option<Option<Json>> {
    let mut reader = Reader { rest: body, depth: 0 };
    match reader.value() {
        Ok(value) => {
            reader.blanks();
            Some(reader.rest.is_empty().then_some(value))
        }
        Err(Stop::Broken) => Some(None),
        Err(Stop::Exotic) => None,
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        while let [..=b' ', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn next(&mut self) -> Result<u8, Stop> {
        let (first, rest) = self.rest.split_first().ok_or(Stop::Broken)?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text.as_bytes()) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self) -> Result<Json, Stop> {
        self.blanks();
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Stop::Exotic);
        }
        let value = match self.rest.first() {
            Some(b'{') => self
                .items(b'}', |reader| {
                    reader.blanks();
                    let key = reader.text()?;
                    reader.blanks();
                    if reader.take(":") { Ok((key, reader.value()?)) } else { Err(Stop::Broken) }
                })
                .map(Json::Object),
            Some(b'[') => self.items(b']', Self::value).map(Json::List),
            Some(b'"') => self.text().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.take("null") => Ok(Json::Null),
            _ if self.take("true") => Ok(Json::True),
            _ if self.take("false") => Ok(Json::False),
            _ => Err(Stop::Broken),
        };
        self.depth -= 1;
        value
    }

    /// What stands between an opening bracket and the closing one.
    fn items<T>(
        &mut self,
        end: u8,
        mut item: impl FnMut(&mut Self) -> Result<T, Stop>,
    ) -> Result<Vec<T>, Stop> {
        self.next()?;
        self.blanks();
        let mut items = Vec::new();
        if self.rest.first() == Some(&end) {
            self.next()?;
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            self.blanks();
            match self.next()? {
                b',' => {}
                byte if byte == end => return Ok(items),
                _ => return Err(Stop::Broken),
            }
        }
    }

    fn number(&mut self) -> Result<Json, Stop> {
        let whole = self.rest;
        self.take("-");
        match self.digits() {
            [] | [b'0', _, ..] => return Err(Stop::Broken),
            _ => {}
        }
        if self.take(".") && self.digits().is_empty() {
            return Err(Stop::Broken);
        }
        if self.take("e") || self.take("E") {
            let _ = self.take("+") || self.take("-");
            if self.digits().is_empty() {
                return Err(Stop::Broken);
            }
        }
        let length = whole.len() - self.rest.len();
        let text = String::from_utf8_lossy(whole.get(..length).unwrap_or_default()).into_owned();
        if text.parse().is_ok_and(f64::is_finite) { Ok(Json::Number(text)) } else { Err(Stop::Exotic) }
    }

    fn digits(&mut self) -> &[u8] {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        digits
    }

    /// A string: collected as UTF-16, in which an escape is a unit and half a pair is easily seen.
    fn text(&mut self) -> Result<String, Stop> {
        if !self.take("\"") {
            return Err(Stop::Broken);
        }
        let mut units = Vec::new();
        loop {
            let plain = self.rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\')).count();
            let (plain, rest) = self.rest.split_at(plain);
            self.rest = rest;
            for letter in String::from_utf8_lossy(plain).chars() {
                let letter = if letter < ' ' { ' ' } else { letter };
                units.extend_from_slice(letter.encode_utf16(&mut [0; 2]));
            }
            if self.next()? == b'"' {
                return Ok(char::decode_utf16(units).map(|letter| letter.unwrap_or('\u{fffd}')).collect());
            }
            units.push(match self.next()? {
                letter @ (b'"' | b'\\' | b'/') => u16::from(letter),
                b'b' => 8,
                b'f' => 12,
                b'n' => 10,
                b'r' => 13,
                b't' => 9,
                b'u' => {
                    let mut unit = 0;
                    for _ in 0..4 {
                        let digit = char::from(self.next()?).to_digit(16).ok_or(Stop::Broken)?;
                        unit = unit << 4 | u16::try_from(digit).unwrap_or_default();
                    }
                    unit
                }
                _ => return Err(Stop::Broken),
            });
        }
    }
}
