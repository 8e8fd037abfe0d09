-- How far each consumer has come in each room: it has taken everything up to seq, and what it made of that is stored.
-- Without a row here nothing that a consumer has stored of a room counts.
create table places (
    room     integer not null references rooms (key) on delete cascade,
    consumer text not null,
    seq      integer not null,
    primary key (room, consumer)
) strict, without rowid;

-- Messages that a user posted in a room on a day, which is a number: days since 1970-01-01 UTC.
create table counts (
    room     integer not null references rooms (key) on delete cascade,
    day      integer not null,
    user     integer not null,
    messages integer not null,
    primary key (room, day, user)
) strict, without rowid;
create index counts_day on counts (day);
