//! How many connections the system lets this program and its server hold. Each is an open file on both sides.

use crate::arguments::Target;
use anyhow::{Result, bail};
use rustix::process::{Resource, getrlimit};

/// Files that the load needs beside its connections.
const OWN: u64 = 64;
/// Files that the server keeps free: see `connections` in its configuration.
const SERVERS: u64 = 128;

/// Whether so many connections can be open at once.
///
/// # Errors
/// When they cannot. The error says how many can, and by whose limit.
pub fn check(connections: usize, target: &Target) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    fits(connections as u64, limit.current, OWN, "this program")?;
    // A server that was started here inherits the limits, and raises the one that it may raise. The limits of other
    // servers are not known.
    match &target.url {
        Some(_) => Ok(()),
        None => fits(connections as u64, limit.maximum, SERVERS, "the server"),
    }
}

fn fits(connections: u64, files: Option<u64>, kept: u64, whose: &str) -> Result<()> {
    let possible = files.map_or(u64::MAX, |files| files.saturating_sub(kept));
    if connections > possible {
        bail!(
            "{connections} connections are more than the {possible} for which {whose} may open files: raise the limit (ulimit -n), or ask for fewer"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_connections_than_files_are_refused_with_the_number_that_is_possible() {
        assert!(fits(936, Some(1_000), OWN, "this program").is_ok() && fits(1 << 40, None, OWN, "x").is_ok());
        let refused = fits(937, Some(1_000), OWN, "this program").map_err(|error| error.to_string());
        assert!(refused.is_err_and(|says| says.contains("the 936 for which this program")));
    }
}
