//! Gives memory that was freed back to the system, where the allocator would keep it.
//!
//! Must not know what the memory was for, nor when is a good time: the caller decides.

/// Gives back every whole page that the allocator holds and the process does not use, wherever it lies. Without this
/// glibc gives back hardly more than the end of a heap, so memory that was freed between two things that stay would
/// remain with the process.
///
/// Takes some milliseconds for each hundred megabytes. Every thread that allocates waits meanwhile, so call it when
/// little is going on. Returns `false` if nothing was given back, as always with an allocator other than glibc's. See
/// `malloc_trim(3)`.
pub fn give_back() -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        trim()
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        false
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a function of C")]
fn trim() -> bool {
    // SAFETY: `malloc_trim` may be called by any thread at any time, and moves or frees nothing that is in use.
    unsafe { libc::malloc_trim(0) != 0 }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use std::fs;

    /// Bytes of this process's own that are in memory.
    fn held() -> usize {
        let status = fs::read_to_string("/proc/self/status").expect("the kernel tells");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("its own memory");
        let kilobytes: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kilobytes << 10
    }

    #[test]
    fn what_was_freed_between_things_that_live_is_given_back() {
        let mut things: Vec<Option<Box<[u8]>>> =
            (0..20_000).map(|_| Some(vec![1; 2 << 10].into_boxed_slice())).collect();
        for (place, thing) in things.iter_mut().enumerate() {
            if place % 100 != 0 {
                *thing = None;
            }
        }
        let before = held();
        assert!(super::give_back());
        assert!(held() + (20 << 20) < before, "{before} bytes before, {} after", held());
        assert_eq!(things.iter().flatten().count(), 200);
    }
}
