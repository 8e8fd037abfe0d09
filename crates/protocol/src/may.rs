//! What one may do: decided by the server alone, and sent.

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

macro_rules! verbs {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Something that is done in a room or on the server.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        pub enum Verb {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Verb {
            /// All of them, in the order in which `may` lists them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name, as `may` says it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

verbs! {
    /// In a room: post messages, and edit and delete one's own.
    Post = "post",
    /// In a room: react to messages.
    React = "react",
    /// In a room: bring people into it. On the server: make an invite link that leads to no room.
    Invite = "invite",
    /// In a room, or of one member: end a membership.
    Remove = "remove",
    /// In a room: pin messages.
    Pin = "pin",
    /// In a room: mention everybody.
    MentionAll = "mention_all",
    /// In a room: delete the messages of others.
    DeleteAny = "delete_any",
    /// In a room: change its name, topic and rules.
    EditRoom = "edit_room",
    /// In a room: keep somebody from posting for a time.
    TimeOut = "time_out",
    /// In a room: keep somebody out of it.
    Ban = "ban",
    /// In a room: start and join calls.
    Call = "call",
    /// On the server: open an open room.
    OpenRoom = "open_room",
    /// On the server: open a closed room.
    OpenClosed = "open_closed",
    /// On the server: look people up by name.
    FindPeople = "find_people",
}

/// The verbs that one may do somewhere. On the wire a list of their names; names that this version does not know are
/// passed over.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct May(u32);

impl May {
    /// Nothing.
    pub const NOTHING: Self = Self(0);

    /// These and no others.
    #[must_use]
    pub const fn with(self, verb: Verb) -> Self {
        Self(self.0 | (1 << verb as u32))
    }

    /// Whether `verb` is among them.
    pub const fn has(self, verb: Verb) -> bool {
        self.0 & (1 << verb as u32) != 0
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// All of them, in the order of [`Verb::ALL`].
    pub fn verbs(self) -> impl Iterator<Item = Verb> {
        Verb::ALL.iter().copied().filter(move |verb| self.has(*verb))
    }
}

impl FromIterator<Verb> for May {
    fn from_iter<I: IntoIterator<Item = Verb>>(verbs: I) -> Self {
        verbs.into_iter().fold(Self::NOTHING, Self::with)
    }
}

impl fmt::Debug for May {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.verbs().map(Verb::name)).finish()
    }
}

impl Serialize for May {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.verbs())
    }
}

impl<'de> Deserialize<'de> for May {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = May;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of verbs")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<May, A::Error> {
                let mut may = May::NOTHING;
                while let Some(name) = names.next_element::<String>()? {
                    let known = Verb::ALL.iter().find(|verb| verb.name() == name);
                    may = known.map_or(may, |verb| may.with(*verb));
                }
                Ok(may)
            }
        }
        from.deserialize_seq(Names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_travel_by_name_and_a_later_versions_verb_is_passed_over() {
        let may: May = [Verb::Call, Verb::Post].into_iter().collect();
        assert_eq!(serde_json::to_string(&may).unwrap(), r#"["post","call"]"#);
        let read: May = serde_json::from_str(r#"["call","fly","post"]"#).unwrap();
        assert_eq!(read, may);
        assert!(read.has(Verb::Post) && !read.has(Verb::Ban));
    }
}
