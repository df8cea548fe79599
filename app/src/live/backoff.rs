//! How long to wait before the next try.

/// First and longest wait before connecting again.
const CONNECT_MS: (u64, u64) = (500, 15_000);
/// First and longest wait before a room is read anew once more.
const READ_MS: (u64, u64) = (1_000, 30_000);
/// First and longest wait before a room is asked for again.
const ASK_MS: (u64, u64) = (5_000, 60_000);

/// Before connecting or sending again: doubles from half a second to 15 s. `random`, from 0 to 1, spreads it over its
/// upper half, so that a node's clients do not all come back in the same instant.
pub fn backoff_ms(failures: u32, random: f64) -> u64 {
    spread(CONNECT_MS, failures, random)
}

/// Before a room is read anew in a row: doubles from 1 s to 30 s, spread likewise.
pub fn read_again_ms(reads: u32, random: f64) -> u64 {
    spread(READ_MS, reads, random)
}

/// Before a room is asked for again: doubles from 5 s to 60 s, and is up to a quarter longer. Never shorter: a node may
/// need that long to find what was missed.
pub fn ask_again_ms(failures: u32, random: f64) -> u64 {
    let wait = doubled(ASK_MS, failures);
    wait + (wait as f64 / 4.0 * random.clamp(0.0, 1.0)) as u64
}

fn spread(bounds: (u64, u64), times: u32, random: f64) -> u64 {
    let longest = doubled(bounds, times);
    longest / 2 + (longest as f64 / 2.0 * random.clamp(0.0, 1.0)) as u64
}

fn doubled((first, longest): (u64, u64), times: u32) -> u64 {
    first.saturating_mul(1 << times.min(10)).min(longest)
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

    #[test]
    fn a_room_is_asked_for_again_after_five_seconds_to_a_minute() {
        assert_eq!([0, 1, 2, 3, 4, 40].map(|n| ask_again_ms(n, 0.0)), [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
        assert_eq!(ask_again_ms(0, 1.0), 6_250);
    }

    #[test]
    fn a_room_is_read_again_in_a_row_after_one_second_to_thirty() {
        assert_eq!([0, 1, 5, 40].map(|n| read_again_ms(n, 1.0)), [1_000, 2_000, 30_000, 30_000]);
        assert_eq!(read_again_ms(0, 0.0), 500);
    }
}
