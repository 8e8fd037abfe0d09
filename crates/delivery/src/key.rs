//! Names: of a connection, of what it follows, of the protocol it speaks.

/// Names a connection; never used again within a run of the process.
///
/// The shard that owns the connection is part of the name, so that whoever holds one knows where to send.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConnId(u64);

const SERIAL_BITS: u32 = 56;

impl ConnId {
    pub(crate) fn new(shard: usize, serial: u64) -> ConnId {
        ConnId((shard as u64) << SERIAL_BITS | serial & ((1 << SERIAL_BITS) - 1))
    }

    /// The number behind the name, for tables that need one.
    pub const fn number(self) -> u64 {
        self.0
    }

    pub(crate) fn shard(self) -> usize {
        (self.0 >> SERIAL_BITS) as usize
    }
}

/// What connections follow; opaque to delivery.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key(pub u64);

/// Which wire protocol a connection speaks: a small index, opaque to delivery.
///
/// A publication reaches only connections of its own encoding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Encoding(pub u8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_shard_and_two_serials_never_share_a_name() {
        let first = ConnId::new(63, 1);
        let second = ConnId::new(63, 2);

        assert_eq!(first.shard(), 63);
        assert_eq!(second.shard(), 63);
        assert_ne!(first, second);
    }
}
