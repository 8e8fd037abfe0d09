//! Who is here, whatever comes and goes.

use super::*;
use uuid::Uuid;

const LOBBY: RoomKey = RoomKey(1);
const GARDEN: RoomKey = RoomKey(2);
const ANA: Person = Person::User(UserKey(1));
const BEN: Person = Person::User(UserKey(2));
const DOT: Person = Person::Visitor(1);

fn shown(name: &str) -> Arc<Shown> {
    Arc::new(Shown::named(name, None))
}

fn names(presence: &Presence, room: RoomKey) -> Vec<&str> {
    presence.first(room, usize::MAX).map(Shown::name).collect()
}

fn ana_and_ben() -> Presence {
    let mut presence = Presence::new();
    assert_eq!(presence.arrive(LOBBY, ANA, shown("Ana")), Effect::Seen);
    assert_eq!(presence.arrive(LOBBY, BEN, shown("Ben")), Effect::Seen);
    presence
}

#[test]
fn one_person_over_all_their_connections_is_one_entry() {
    let mut presence = ana_and_ben();
    assert_eq!(presence.arrive(LOBBY, ANA, shown("Ana")), Effect::Unseen);
    assert_eq!((presence.count(LOBBY), names(&presence, LOBBY)), (2, vec!["Ana", "Ben"]));
    assert_eq!(presence.depart(LOBBY, ANA), Effect::Unseen);
    assert!(presence.is_person_here(LOBBY, ANA));
    assert_eq!(presence.depart(LOBBY, ANA), Effect::Seen);
    assert_eq!(names(&presence, LOBBY), ["Ben"]);
}

#[test]
fn people_stand_in_order_of_arrival_and_whoever_comes_back_stands_last() {
    let mut presence = ana_and_ben();
    presence.arrive(LOBBY, DOT, shown("Dot"));
    presence.depart(LOBBY, ANA);
    presence.arrive(LOBBY, ANA, shown("Ana"));
    assert_eq!(names(&presence, LOBBY), ["Ben", "Dot", "Ana"]);
    assert_eq!(presence.first(LOBBY, 2).count(), 2);
}

#[test]
fn a_crowd_stands_in_order_of_arrival_as_a_few_do() {
    let mut presence = ana_and_ben();
    let visitors = || (0..3 * FEW as u64).map(Person::Visitor);
    for visitor in visitors() {
        assert_eq!(presence.arrive(LOBBY, visitor, shown("Dot")), Effect::Seen);
    }
    assert_eq!(presence.arrive(LOBBY, BEN, shown("Ben")), Effect::Unseen, "who was there before the crowd");
    presence.depart(LOBBY, ANA);
    presence.arrive(LOBBY, ANA, shown("Ana"));
    let stand = names(&presence, LOBBY);
    assert_eq!((stand.len(), stand.first(), stand.last()), (3 * FEW + 2, Some(&"Ben"), Some(&"Ana")));

    assert!(visitors().all(|visitor| presence.depart(LOBBY, visitor) == Effect::Seen));
    assert_eq!((presence.count(LOBBY), names(&presence, LOBBY)), (2, vec!["Ben", "Ana"]));
    presence.depart(LOBBY, BEN);
    assert!(presence.is_person_here(LOBBY, BEN), "two connections");
}

#[test]
fn departing_from_where_one_is_not_changes_nothing() {
    let mut presence = ana_and_ben();
    for (room, person) in [(GARDEN, ANA), (LOBBY, DOT)] {
        assert_eq!(presence.depart(room, person), Effect::Unseen);
    }
    assert_eq!(names(&presence, LOBBY), ["Ana", "Ben"]);
}

#[test]
fn a_room_without_people_takes_no_memory() {
    let mut presence = ana_and_ben();
    presence.arrive(GARDEN, ANA, shown("Ana"));
    for (room, person) in [(LOBBY, ANA), (LOBBY, BEN), (GARDEN, ANA)] {
        presence.depart(room, person);
    }
    assert_eq!((presence.rooms().count(), presence.count(LOBBY)), (0, 0));
}

#[test]
fn a_name_is_here_in_every_spelling_until_the_last_who_goes_by_it_leaves() {
    let mut presence = ana_and_ben();
    let folded = fold("ＢＥＮ");
    assert!(presence.is_name_here(LOBBY, &folded, DOT));
    assert!(!presence.is_name_here(LOBBY, &folded, BEN), "one's own name is free for oneself");
    assert!(!presence.is_name_here(GARDEN, &folded, DOT));
    presence.arrive(LOBBY, DOT, shown("ben"));
    assert!(presence.is_name_here(LOBBY, &folded, BEN), "two go by it now");
    presence.depart(LOBBY, BEN);
    assert!(presence.is_name_here(LOBBY, &folded, ANA));
    presence.depart(LOBBY, DOT);
    assert!(!presence.is_name_here(LOBBY, &folded, ANA));
}

#[test]
fn a_visitor_who_becomes_known_keeps_place_and_name() {
    let mut presence = Presence::new();
    presence.arrive(LOBBY, DOT, shown("Dot"));
    presence.arrive(LOBBY, ANA, shown("Ana"));
    let user = User { id: protocol::UserId::new(Uuid::from_u128(7)), name: "Dot".to_owned(), guest: true };
    let user = Arc::new(user);
    presence.became_known(LOBBY, DOT, &user);
    presence.became_known(GARDEN, DOT, &user);
    assert_eq!(names(&presence, LOBBY), ["Dot", "Ana"]);
    assert_eq!(presence.first(LOBBY, 1).next().and_then(Shown::who), Some(&*user));
    assert_eq!(presence.name_of(LOBBY, DOT), Some("Dot"));
    assert_eq!(presence.name_of(GARDEN, DOT), None);
}

#[test]
fn a_name_is_anywhere_until_the_last_room_where_somebody_goes_by_it_is_left() {
    let mut presence = ana_and_ben();
    presence.arrive(GARDEN, ANA, shown("Ana"));
    presence.depart(LOBBY, ANA);
    assert!(presence.is_name_anywhere(&fold("ANA")));
    assert!(!presence.is_name_here(LOBBY, &fold("ANA"), DOT), "elsewhere is not here");
    presence.depart(GARDEN, ANA);
    assert!(!presence.is_name_anywhere(&fold("ANA")));
}

#[test]
fn a_user_known_by_another_name_is_found_by_that_one_alone() {
    let ana =
        Arc::new(User { id: protocol::UserId::new(Uuid::from_u128(8)), name: "Ana".to_owned(), guest: true });
    let mut presence = Presence::new();
    presence.arrive(LOBBY, ANA, Arc::new(Shown::user(Arc::clone(&ana))));
    presence.arrive(GARDEN, ANA, Arc::new(Shown::named("Annie", Some(ana))));
    assert_eq!((presence.name_of(LOBBY, ANA), presence.name_of(GARDEN, ANA)), (Some("Ana"), Some("Annie")));
    assert!(
        presence.is_name_here(GARDEN, &fold("annie"), DOT)
            && !presence.is_name_here(GARDEN, &fold("ana"), DOT)
    );
}
