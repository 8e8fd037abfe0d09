//! What is true of SQLite alone.

use super::*;

#[test]
fn a_text_that_is_no_utf8_is_an_error_of_its_column() {
    let sqlite = sqlite();
    let read = Sql::from(&sqlite).one("select 1 as fine, cast(x'ff' as text) as name", &[], |row| {
        assert_eq!(row.get::<i64>("fine")?, 1);
        row.get::<String>("name")
    });
    let error = read.expect_err("no text");
    assert!(error.is_of_a_value(), "{error}");
    assert!(error.to_string().contains("name"), "{error}");
}

#[test]
fn an_array_is_refused() {
    let sqlite = sqlite();
    let refused = Sql::from(&sqlite).run("select ?1", params![[1_i64, 2]]).expect_err("no array");
    assert!(!refused.is_of_a_value() && !refused.is_lost(), "{refused}");
}

#[test]
fn the_columns_of_a_statement_follow_its_tables() {
    let sqlite = sqlite();
    let sql = Sql::from(&sqlite);
    sql.script("create table things (a integer); insert into things values (1)").expect("a table");
    let read = |name: &str| sql.one("select * from things", &[], |row| row.get::<i64>(name)).expect("a row");
    assert_eq!(read("a"), Some(1));
    sql.script("alter table things add column b integer default 2").expect("another column");
    assert_eq!(read("b"), Some(2));
}

#[test]
fn a_disk_without_place_is_told_from_other_failures() {
    let sqlite = sqlite();
    let sql = Sql::from(&sqlite);
    sql.script("create table things (a blob); pragma max_page_count = 3").expect("a small database");
    let full = sql.run("insert into things values (zeroblob(100000))", &[]).expect_err("no place");
    assert!(full.is_full(), "{full}");
    let other = sql.run("insert into nothing values (1)", &[]).expect_err("no table");
    assert!(!other.is_full(), "{other}");
}
