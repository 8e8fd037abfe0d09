//! A family of frames: each name on the wire stands beside its variant, and nowhere else.

/// Makes an enum of the variants, named for serde as the literals say, with `NAMES` (all names, in order) and `name`
/// (the name of one value). A variant's body is written as in any enum.
macro_rules! family {
    (
        $(#[$of_all:meta])*
        pub enum $family:ident { $($(#[$of_one:meta])* $name:literal => $variant:ident $body:tt,)* }
    ) => {
        $(#[$of_all])*
        pub enum $family {
            $($(#[$of_one])* #[serde(rename = $name)] $variant $body,)*
        }

        impl $family {
            /// The names of all of them, as `type` says them.
            pub const NAMES: &[&str] = &[$($name),*];

            /// Its name, as `type` says it.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $name,)*
                }
            }
        }
    };
}

pub(crate) use family;
