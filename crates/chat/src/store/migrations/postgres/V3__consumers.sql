-- How far each consumer has come in each room: it has taken everything up to seq, and what it made of that is stored.
-- Without a row here nothing that a consumer has stored of a room counts.
create table places (
    room     bigint not null references rooms (key) on delete cascade,
    consumer text collate "C" not null,
    seq      bigint not null,
    primary key (room, consumer)
) with (fillfactor = 50);

-- Messages that a user posted in a room on a day, which is a number: days since 1970-01-01 UTC.
create table counts (
    room     bigint not null references rooms (key) on delete cascade,
    day      bigint not null,
    "user"   bigint not null,
    messages bigint not null,
    primary key (room, day, "user")
) with (fillfactor = 80);
create index counts_day on counts (day);
