-- One row for each person and emoji of a message. The event that told of it orders them.
create table reactions (
    room  integer not null references rooms (key),
    seq   integer not null,
    emoji text not null,
    user  integer not null references users (key),
    event integer not null,
    primary key (room, seq, emoji, user)
) strict, without rowid;
