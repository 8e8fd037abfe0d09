-- Keys are small integers inside; ids are what the wire shows. Times are milliseconds since 1970 UTC.
-- Keys of rooms and users are never given twice: live connections and other tables know things by them.

create table meta (
    name  text primary key,
    value text not null
) strict, without rowid;

create table users (
    key        integer primary key autoincrement,
    id         blob not null unique,
    name       text not null,
    -- The name normalised and case-folded: what uniqueness is judged by.
    folded     text not null,
    role       text not null,
    -- Null for a guest.
    password   text,
    created_at integer not null
) strict;
-- Accounts alone own their name for ever; guests own theirs while their session lives.
create unique index users_registered_name on users (folded) where password is not null;
create index users_name on users (folded);
create index users_owner on users (key) where role = 'owner';

create table sessions (
    key        integer primary key,
    id         blob not null unique,
    token_hash blob not null unique,
    user       integer not null references users (key),
    created_at integer not null,
    expires_at integer not null
) strict;
create index sessions_user on sessions (user);

create table rooms (
    key         integer primary key autoincrement,
    id          blob not null unique,
    kind        text not null,
    name        text not null,
    folded      text not null,
    -- The latest seq, and how many messages were ever posted.
    head        integer not null default 0,
    n           integer not null default 0,
    opened_by   integer references users (key),
    opened_at   integer not null,
    -- 1 until the first message: such a room goes when the last visitor does.
    provisional integer not null default 0,
    nonce       text
) strict;
create unique index rooms_open_name on rooms (folded) where kind = 'open';
create unique index rooms_nonce on rooms (nonce, opened_by) where nonce is not null;

create table memberships (
    room       integer not null references rooms (key),
    user       integer not null references users (key),
    role       text not null,
    joined_seq integer not null,
    read_seq   integer not null,
    read_n     integer not null,
    primary key (room, user)
) strict, without rowid;
create index memberships_user on memberships (user);

-- Text lives here and nowhere else.
create table messages (
    key       integer primary key,
    room      integer not null,
    seq       integer not null,
    -- Its ordinal among the room's messages: unread is a subtraction.
    n         integer not null,
    author    integer not null,
    nonce     text not null,
    -- Of the draft as first posted: tells a retry from another draft after any number of edits.
    digest    blob not null,
    at        integer not null,
    -- The seq of the last event that touched it.
    rev       integer not null,
    edited_at integer,
    deleted   integer not null default 0,
    text      text not null,
    unique (room, seq),
    unique (nonce, author)
) strict;

-- What happened, in each room's order; a message's text is read from messages when an event is told again.
create table events (
    room       integer not null,
    seq        integer not null,
    kind       text not null,
    target_seq integer,
    by         integer not null,
    at         integer not null,
    extra      text,
    primary key (room, seq)
) strict, without rowid;

create table invites (
    key        integer primary key,
    id         blob not null unique,
    token_hash blob not null unique,
    room       integer references rooms (key),
    created_by integer not null references users (key),
    created_at integer not null,
    expires_at integer not null,
    uses       integer not null,
    used       integer not null default 0,
    revoked_at integer,
    nonce      text not null,
    unique (nonce, created_by)
) strict;
create index invites_maker on invites (created_by);
create index invites_room on invites (room) where room is not null;
