//! How proxies and rate limiters count: so many at once, and so many more each second.

use std::time::Instant;

/// A leaky bucket, full at first.
#[derive(Debug)]
pub struct Bucket {
    burst: f64,
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    /// Lets `burst` through at once, and `per_second` more each second.
    pub fn new(burst: f64, per_second: f64) -> Bucket {
        Bucket { burst, per_second, left: burst, at: Instant::now() }
    }

    /// Counts one; whether it is let through.
    pub fn takes(&mut self) -> bool {
        let now = Instant::now();
        self.left = self.burst.min(self.left + self.per_second * now.duration_since(self.at).as_secs_f64());
        self.at = now;
        let is_let_through = self.left >= 1.0;
        if is_let_through {
            self.left -= 1.0;
        }
        is_let_through
    }
}
