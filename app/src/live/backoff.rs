//! How long to wait before the next try.

/// Longest wait.
const LONGEST_MS: u64 = 15_000;

/// Doubles from half a second to 15 s. `random`, from 0 to 1, spreads it over its upper half, so that a node's
/// clients do not all come back in the same instant.
pub fn backoff_ms(failures: u32, random: f64) -> u64 {
    let longest = 500_u64.saturating_mul(1 << failures.min(10)).min(LONGEST_MS);
    let spread = (longest as f64 / 2.0 * random.clamp(0.0, 1.0)) as u64;
    longest / 2 + spread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_fifteen_seconds_and_are_spread() {
        assert_eq!([0, 1, 2, 3].map(|n| backoff_ms(n, 1.0)), [500, 1_000, 2_000, 4_000]);
        assert_eq!(backoff_ms(40, 1.0), 15_000);
        assert_eq!(backoff_ms(40, 0.0), 7_500);
        assert_eq!(backoff_ms(0, 0.5), 375);
    }
}
