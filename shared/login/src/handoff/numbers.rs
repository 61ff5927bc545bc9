//! The numbers of which one stands on the other screen.

/// Three different two-digit numbers, of which one is shown on the other screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    shown: [u8; 3],
    right: u8,
}

impl Numbers {
    /// Draws them from 8 random bytes.
    #[must_use]
    pub fn draw(bytes: [u8; 8]) -> Self {
        let mut pairs = bytes.chunks_exact(2).map(|pair| match pair {
            [high, low] => usize::from(u16::from_be_bytes([*high, *low])),
            _ => 0,
        });
        let mut below = |many: usize| pairs.next().unwrap_or_default() % many;
        // Each is one of those that are left.
        let mut left: Vec<u8> = (10..=99).collect();
        let shown = [(); 3].map(|()| left.swap_remove(below(left.len())));
        let right = shown.get(below(3)).copied().unwrap_or_default();
        Self { shown, right }
    }

    /// Takes numbers that were read back from a table; `None` if they are none.
    #[must_use]
    pub fn stored(text: &str) -> Option<Self> {
        let numbers: Vec<u8> = text.split(' ').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        match numbers[..] {
            [first, second, third, right] => Some(Self { shown: [first, second, third], right }),
            _ => None,
        }
    }

    /// The text for the table: the three, and the right one once more.
    #[must_use]
    pub fn to_text(self) -> String {
        let [first, second, third] = self.shown;
        format!("{first} {second} {third} {}", self.right)
    }

    /// The three, in their order.
    #[must_use]
    pub const fn shown(self) -> [u8; 3] {
        self.shown
    }

    /// The one that the other screen shows.
    #[must_use]
    pub const fn right(self) -> u8 {
        self.right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_different_numbers_of_two_digits_are_drawn() {
        let mut places = [0; 3];
        for seed in 0..3000_u64 {
            let drawn = Numbers::draw((seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_be_bytes());
            let [one, two, three] = drawn.shown();
            assert!(one != two && two != three && one != three, "{seed}");
            assert!(drawn.shown().iter().all(|number| (10..=99).contains(number)), "{seed}");
            let place = drawn.shown().iter().position(|number| *number == drawn.right()).unwrap();
            places[place] += 1;
            assert_eq!(Numbers::stored(&drawn.to_text()), Some(drawn));
        }
        // The right one stands everywhere.
        assert!(places.iter().all(|place| *place > 800), "{places:?}");
    }
}
