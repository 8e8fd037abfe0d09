//! What is true of PostgreSQL alone.

use super::*;
use uuid::Uuid;

/// How a read begins.
const READ: &str = "begin isolation level repeatable read read only";

fn count(sql: Sql<'_>) -> i64 {
    let text = "select count(*) as n from things";
    sql.one(text, &[], |row| row.get("n")).expect("an answer").expect("a row")
}

/// A session on a database with a table of unique numbers.
fn with_things() -> (Postgres, String) {
    let url = testbed::database();
    let postgres = Postgres::connect(&url).expect("a session");
    Sql::from(&postgres)
        .script("create table things (number bigint constraint things_number unique)")
        .expect("a table");
    (postgres, url)
}

const INSERT: &str = "insert into things values (?1)";

#[test]
fn arrays_are_rows_of_an_insert() {
    let postgres = postgres();
    let sql = Sql::from(&postgres);
    sql.script("create table many (a bigint, b bigint, c text, d bytea, e uuid, f boolean, g text)")
        .expect("a table");
    let ids = [1, 2].map(Uuid::from_u128);
    let blobs: Vec<&[u8]> = vec![b"x", b""];
    let words = vec![Some("here"), None];
    let given = params![[1_i64, 2], [None, Some(3_i64)], ["ana", "it's"], blobs, ids, [true, false], words];
    let insert = "insert into many select * from unnest(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    assert_eq!(sql.run(insert, given).expect("rows"), 2);
    let read =
        sql.all("select * from many where a = any(?1) order by a", params![vec![1_i64, 2, 9]], |row| {
            let numbers: (i64, Option<i64>) = (row.get("a")?, row.get("b")?);
            let others: (String, Vec<u8>) = (row.get("c")?, row.get("d")?);
            Ok((
                numbers,
                others,
                row.get::<Uuid>("e")?,
                row.get::<bool>("f")?,
                row.get::<Option<String>>("g")?,
            ))
        });
    let first = ((1, None), ("ana".to_owned(), b"x".to_vec()), ids[0], true, Some("here".to_owned()));
    let second = ((2, Some(3)), ("it's".to_owned(), vec![]), ids[1], false, None);
    assert_eq!(read.expect("rows"), [first, second]);
}

#[test]
fn a_text_that_postgresql_cannot_keep_is_refused_before_it_breaks_the_transaction() {
    let postgres = postgres();
    let sql = Sql::from(&postgres);
    sql.run("begin", &[]).expect("a transaction");
    let texts = ["fine", "a\0b"];
    for given in [params!["a\0b"], params![Some("a\0b")], params![texts], params![texts.map(Some)]] {
        let refused = sql.run("select ?1", given).expect_err("no text");
        assert!(refused.is_of_a_value(), "{refused}");
        assert!(refused.to_string().contains("parameter 1"), "{refused}");
    }
    assert_eq!(sql.one("select 1 as one", &[], |row| row.get("one")).expect("a row"), Some(1_i64));
}

#[test]
fn a_value_of_another_kind_than_the_first_is_an_error() {
    let postgres = postgres();
    let sql = Sql::from(&postgres);
    sql.run("select ?1", params![1_i64]).expect("an answer");
    let refused = sql.run("select ?1", params!["one"]).expect_err("another kind");
    assert!(!refused.is_lost(), "{refused}");
    sql.run("select ?1", params![2_i64]).expect("an answer");
}

#[test]
fn narrow_numbers_and_other_texts_are_read_and_fractions_are_not() {
    let postgres = postgres();
    let text = "select 7::smallint as a, 7::integer as b, 7::oid as c, 'ana'::varchar as d, 'ana'::name as e, 0.5 as f";
    let read = Sql::from(&postgres).one(text, &[], |row| {
        for name in ["a", "b", "c"] {
            assert_eq!(row.get::<i64>(name)?, 7);
        }
        for name in ["d", "e"] {
            assert_eq!(row.get::<String>(name)?, "ana");
        }
        row.get::<i64>("f")
    });
    let error = read.expect_err("a fraction");
    assert!(error.is_of_a_value() && error.to_string().contains("a fraction"), "{error}");
}

#[test]
fn a_lazy_transaction_begins_with_its_first_statement_and_sees_one_moment() {
    let (writer, url) = with_things();
    let reader = Postgres::connect(&url).expect("a session");
    reader.begin_lazily(READ);
    Sql::from(&writer).run(INSERT, params![1_i64]).expect("a row");
    // Nothing was sent until now.
    assert_eq!(count(Sql::from(&reader)), 1);
    Sql::from(&writer).run(INSERT, params![2_i64]).expect("a row");
    assert_eq!(count(Sql::from(&reader)), 1);
    reader.rollback().expect("an end");
    reader.begin_lazily(READ);
    assert_eq!(count(Sql::from(&reader)), 2);
    Sql::from(&reader).run(INSERT, params![3_i64]).expect_err("only reads");
    reader.rollback().expect("an end");
    assert_eq!(count(Sql::from(&reader)), 2);
}

#[test]
fn a_rollback_is_not_waited_for_and_done_all_the_same() {
    let (postgres, url) = with_things();
    let watcher = Postgres::connect(&url).expect("a session");
    postgres.begin_lazily("begin");
    Sql::from(&postgres).run(INSERT, params![1_i64]).expect("a row");
    postgres.rollback().expect("an end");
    // Waits for the row's lock: whoever holds it has only this process to thank for letting go.
    Sql::from(&watcher)
        .script("lock table things in access exclusive mode")
        .expect_err("outside a transaction");
    Sql::from(&watcher).run(INSERT, params![1_i64]).expect("the number is free");
}

#[test]
fn a_transaction_without_statements_is_none() {
    let (postgres, _) = with_things();
    postgres.begin_lazily("begin");
    postgres.commit().expect("nothing");
    postgres.begin_lazily("begin");
    postgres.rollback().expect("nothing");
    Sql::from(&postgres).run(INSERT, params![1_i64]).expect("a row");
    // It was kept at once: no transaction was open.
    postgres.rollback().expect("nothing");
    assert_eq!(count(Sql::from(&postgres)), 1);
}

#[test]
fn a_commit_after_a_failure_says_that_nothing_was_kept() {
    let (postgres, _) = with_things();
    let sql = Sql::from(&postgres);
    postgres.begin_lazily("begin");
    sql.run(INSERT, params![1_i64]).expect("a row");
    let taken = sql.run(INSERT, params![1_i64]).expect_err("taken");
    assert!(taken.violates("things.number", "things_number"), "{taken:?}");
    // The number gets into no log: it may be somebody's name.
    assert!(!taken.to_string().contains("(1)"), "{taken}");
    assert!(std::error::Error::source(&taken).is_none());
    assert!(matches!(postgres.commit(), Err(SqlError::RolledBack)));
    assert_eq!(count(sql), 0);
    postgres.begin_lazily("begin");
    sql.run(INSERT, params![1_i64]).expect("a row");
    sql.run("savepoint work", &[]).expect("a savepoint");
    sql.run(INSERT, params![1_i64]).expect_err("taken");
    sql.run("rollback to work", &[]).expect("back");
    postgres.commit().expect("kept");
    assert_eq!(count(sql), 1);
}

#[test]
fn statements_in_a_pipeline_are_run_in_their_order() {
    let (postgres, _) = with_things();
    let sql = Sql::from(&postgres);
    postgres.begin_lazily("begin");
    let all: Vec<i64> = (0..50).collect();
    let given: Vec<[Value<'_>; 1]> = all.iter().map(|number| [Value::Int(*number)]).collect();
    let mut statements: Vec<(&str, &[Value<'_>])> = given.iter().map(|one| (INSERT, &one[..])).collect();
    statements.push(("update things set number = number + 100 where number < ?1", &[Value::Int(10)]));
    let changed = postgres.pipeline(&statements).expect("rows");
    assert_eq!(changed[..50], [1; 50]);
    assert_eq!(changed[50..], [10]);
    postgres.commit().expect("kept");
    let failed = postgres.pipeline(&[
        (INSERT, params![200_i64]),
        (INSERT, params![200_i64]),
        (INSERT, params![201_i64]),
    ]);
    assert!(failed.expect_err("taken").violates("things.number", "things_number"));
    // Outside a transaction each is on its own.
    assert_eq!(count(sql), 52);
    assert!(postgres.pipeline(&[]).expect("nothing").is_empty());
}

#[test]
fn a_session_that_the_server_ends_is_lost_and_says_why() {
    let (postgres, url) = with_things();
    let sql = Sql::from(&postgres);
    let own = sql.one("select pg_backend_pid() as id", &[], |row| row.get::<i64>("id")).expect("a row");
    let killer = Postgres::connect(&url).expect("a session");
    let end = "select pg_terminate_backend(cast(?1 as integer), 10000) as ended";
    let ended = Sql::from(&killer).one(end, params![own], |row| row.get::<bool>("ended"));
    assert_eq!(ended.expect("an answer"), Some(true));
    assert!(killer.is_alive());
    assert!(!postgres.is_alive());
    let lost = sql.run(INSERT, params![1_i64]).expect_err("no session");
    assert!(lost.is_lost(), "{lost:?}");
    assert!(lost.to_string().contains("administrator"), "{lost}");
    for lost in [
        postgres.rollback().err(),
        postgres.commit().err(),
        sql.script("select 1").err(),
        postgres.pipeline(&[(INSERT, params![1_i64])]).err(),
        sql.each(INSERT, params![1_i64], |_| Ok(ControlFlow::Continue(()))).err(),
    ] {
        assert!(lost.as_ref().is_some_and(SqlError::is_lost), "{lost:?}");
    }
    postgres.close();
}

#[test]
fn a_server_that_dies_or_is_not_there_is_lost_and_another_session_does_after_it_is_back() {
    let mut server = testbed::Server::temporary().expect("a server");
    let postgres = Postgres::connect(&server.url()).expect("a session");
    Sql::from(&postgres).run("select 1", &[]).expect("an answer");
    server.kill().expect("a kill");
    let lost = Sql::from(&postgres).run("select 1", &[]).expect_err("no server");
    assert!(lost.is_lost(), "{lost:?}");
    let lost = Postgres::connect(&server.url()).err().expect("no server");
    assert!(lost.is_lost(), "{lost:?}");
    server.restart().expect("a server");
    let postgres = Postgres::connect(&server.url()).expect("a session");
    Sql::from(&postgres).run("select 1", &[]).expect("an answer");
}

#[test]
fn a_server_that_refuses_is_not_lost() {
    let url = testbed::database();
    let refused = Postgres::connect(&format!("{url}_that_is_not_there")).err().expect("no database");
    assert!(!refused.is_lost(), "{refused:?}");
    assert!(refused.to_string().contains("does not exist"), "{refused}");
}

#[test]
fn a_server_or_database_that_would_lose_texts_is_refused() {
    let mut server = testbed::Server::temporary().expect("a server");
    let narrow = "create database narrow encoding 'SQL_ASCII' locale 'C' template template0";
    server.run(narrow).expect("a database");
    let refused = Postgres::connect(&server.url().replace("/postgres", "/narrow")).err().expect("unfit");
    assert!(matches!(&refused, SqlError::Unfit(what) if what.contains("SQL_ASCII")), "{refused}");
    server.run("alter system set fsync = off").expect("a setting");
    server.restart().expect("a server");
    let refused = Postgres::connect(&server.url()).err().expect("unfit");
    assert!(matches!(&refused, SqlError::Unfit(what) if what.contains("fsync = on")), "{refused}");
    assert!(!refused.is_lost());
}

#[test]
fn a_session_can_be_used_on_one_thread_after_another_and_dropped_within_a_task() {
    let (postgres, _) = with_things();
    let postgres = std::thread::spawn(move || {
        Sql::from(&postgres).run(INSERT, params![1_i64]).expect("a row");
        postgres
    });
    let postgres = postgres.join().expect("whole");
    assert_eq!(count(Sql::from(&postgres)), 1);
    let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("a runtime");
    runtime.block_on(async move { drop(postgres) });
}

#[test]
fn commits_are_durable_even_where_the_database_says_otherwise() {
    let (postgres, url) = with_things();
    let name = url.rsplit_once('/').expect("a name").1;
    for (theirs, ours) in [("off", "on"), ("remote_apply", "remote_apply")] {
        let set = format!(
            "alter database {name} set synchronous_commit = {theirs}; alter database {name} set statement_timeout = 1"
        );
        Sql::from(&postgres).script(&set).expect("a setting");
        let session = Postgres::connect(&url).expect("a session");
        let show = |what: &str| {
            let text = format!("select current_setting('{what}') as value");
            Sql::from(&session).one(&text, &[], |row| row.get::<String>("value")).expect("an answer")
        };
        assert_eq!(show("synchronous_commit").as_deref(), Some(ours));
        assert_eq!(show("statement_timeout").as_deref(), Some("0"));
        assert_eq!(show("application_name").as_deref(), Some("roomful"));
    }
}

#[test]
fn rows_are_not_gathered_in_memory() {
    let postgres = postgres();
    let memory = || {
        let status = std::fs::read_to_string("/proc/self/status").expect("a process");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        resident.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    };
    let before = memory();
    let (rows, kilobytes_each) = (20_000_i64, 10_i64);
    let text = "select n, repeat('x', ?2 * 1000) as filler from generate_series(1, ?1) as counted (n)";
    let text = &text.replace("?2", "cast(?2 as integer)");
    let mut most = 0;
    let all = Sql::from(&postgres).each(text, params![rows, kilobytes_each], |row| {
        assert_eq!(row.text("filler")?.map(str::len), Some(10_000));
        if row.get::<i64>("n")? % 1000 == 0 {
            most = most.max(memory());
        }
        Ok(ControlFlow::Continue(()))
    });
    all.expect("rows");
    let grown = most.saturating_sub(before);
    assert!(grown < 100_000, "200 MB of rows took {grown} kB");
}

#[test]
fn a_statement_whose_table_changed_is_prepared_again() {
    let (postgres, _) = with_things();
    let sql = Sql::from(&postgres);
    let all = "select * from things";
    assert!(sql.all(all, &[], |row| row.get::<i64>("number")).expect("no rows").is_empty());
    sql.script("alter table things add column name text; insert into things values (1, 'ana')")
        .expect("a column");
    sql.all(all, &[], |row| row.get::<i64>("number")).expect_err("the plan is of another table");
    assert_eq!(sql.all(all, &[], |row| row.get::<String>("name")).expect("a row"), ["ana"]);
}

#[test]
fn the_last_statements_are_kept_with_the_commit_or_not_at_all() {
    let (postgres, _) = with_things();
    let sql = Sql::from(&postgres);
    postgres.begin_lazily("begin");
    postgres.commit_after(&[(INSERT, params![1_i64]), (INSERT, params![2_i64])]).expect("kept");
    assert_eq!(count(sql), 2);
    postgres.begin_lazily("begin");
    let taken = postgres.commit_after(&[(INSERT, params![3_i64]), (INSERT, params![1_i64])]);
    let taken = taken.expect_err("taken");
    assert!(taken.violates("things.number", "things_number"), "{taken:?}");
    assert_eq!(count(sql), 2);
    // The transaction is over.
    sql.run(INSERT, params![3_i64]).expect("a row");
    assert_eq!(count(sql), 3);
}

#[test]
fn two_questions_are_answered_each_by_its_own_rows() {
    let (postgres, _) = with_things();
    let sql = Sql::from(&postgres);
    for number in 1..=3_i64 {
        sql.run(INSERT, params![number]).expect("a row");
    }
    let read = |row: &Row<'_>| row.get::<i64>("number");
    let (few, many) = postgres
        .both(
            ("select number from things where number < ?1 order by number", params![2_i64], read),
            ("select number from things where number >= ?1 order by number", params![2_i64], read),
        )
        .expect("answers");
    assert_eq!((few, many), (vec![1], vec![2, 3]));
    let wrong = ("select number from things where 1 / (number - ?1) > 0", params![1_i64], read);
    let right = ("select number from things where number = ?1", params![1_i64], read);
    assert!(postgres.both(wrong, right).is_err());
    assert_eq!(postgres.both(right, right).expect("answers"), (vec![1], vec![1]));
}
