//! Each invariant can be broken, and is then found.
