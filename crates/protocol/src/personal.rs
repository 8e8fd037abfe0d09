//! What the server says to every connection of one user, and to nobody else.

use crate::frame::{ReadMarked, ServerFrame};

/// Makes [`PersonalFrame`] of the frames that are personal: each goes by the name that it has in [`ServerFrame`].
macro_rules! personal_frames {
    ($($frame:ident,)*) => {
        /// A personal frame: it says how something of one user's stands from now on, so that of two such frames the
        /// later one is right. It has no `seq`, and no log keeps it.
        #[derive(Debug, Clone, PartialEq)]
        pub enum PersonalFrame {
            $(
                #[doc = concat!("See [`ServerFrame::", stringify!($frame), "`].")]
                $frame($frame),
            )*
        }

        impl From<PersonalFrame> for ServerFrame {
            fn from(personal: PersonalFrame) -> Self {
                match personal {
                    $(PersonalFrame::$frame(frame) => Self::$frame(frame),)*
                }
            }
        }
    };
}

personal_frames! {
    ReadMarked,
}
