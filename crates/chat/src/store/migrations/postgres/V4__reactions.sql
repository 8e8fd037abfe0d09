-- One row for each person and emoji of a message. The event that told of it orders them.
create table reactions (
    room   bigint not null references rooms (key),
    seq    bigint not null,
    emoji  text collate "C" not null,
    "user" bigint not null references users (key),
    event  bigint not null,
    primary key (room, seq, emoji, "user")
);
