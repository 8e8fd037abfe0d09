//! Names: of a connection, of a key that it follows, of the wire protocol that it speaks.

/// Names a connection; never used again within a run of the process.
///
/// The name holds the shard that owns the connection, and its encoding. So a caller that has the name knows where to
/// send, and in which encoding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConnId(u64);

const ENCODING_BITS: u32 = 48;
const SHARD_BITS: u32 = 56;

impl ConnId {
    pub(crate) fn new(shard: usize, encoding: Encoding, serial: u64) -> ConnId {
        let place = (shard as u64) << SHARD_BITS | u64::from(encoding.0) << ENCODING_BITS;
        ConnId(place | serial & ((1 << ENCODING_BITS) - 1))
    }

    /// The number behind the name, for tables that need one.
    pub const fn number(self) -> u64 {
        self.0
    }

    pub(crate) fn shard(self) -> usize {
        (self.0 >> SHARD_BITS) as usize
    }

    pub(crate) fn encoding(self) -> Encoding {
        Encoding((self.0 >> ENCODING_BITS) as u8)
    }
}

/// A subject that connections follow, such as a room. Delivery knows only the number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key(pub u64);

/// Which wire protocol a connection speaks: a small index, below 128. Delivery knows only the number.
///
/// A publication reaches only connections of its own encoding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Encoding(pub u8);

const DEFLATED: u8 = 0x80;

impl Encoding {
    /// The same wire protocol for a connection that agreed on permessage-deflate (RFC 7692). Such a connection hears
    /// what is published in the plain encoding, deflated where that makes it shorter, and may send deflated messages.
    pub const fn deflated(self) -> Encoding {
        Encoding(self.0 | DEFLATED)
    }

    pub(crate) fn is_deflated(self) -> bool {
        self.0 & DEFLATED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_shard_and_encoding_and_two_serials_never_share_a_name() {
        let deflated = Encoding(5).deflated();
        let first = ConnId::new(63, deflated, 1);
        let second = ConnId::new(63, deflated, 2);

        assert_eq!((first.shard(), first.encoding()), (63, deflated));
        assert_eq!((second.shard(), second.encoding()), (63, deflated));
        assert_ne!(first, second);
    }
}
