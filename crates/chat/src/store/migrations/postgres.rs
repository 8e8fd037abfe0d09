//! The same tables in PostgreSQL, where several nodes may start at once.

use crate::sql::{Postgres, Sql, SqlResult};
use crate::store::opening::OpenError;
use refinery::Runner;

refinery::embed_migrations!("src/store/migrations/postgres");

/// What all nodes lock while one of them changes the tables: "roomful" in ASCII.
const LOCK: i64 = 0x72_6f_6f_6d_66_75_6c;

/// Brings the tables up to date, in one transaction: they are as they were or as they shall be.
pub(in crate::store) fn run(postgres: &mut Postgres) -> Result<(), OpenError> {
    bring(postgres, migrations::runner())
}

/// Finds out whether the tables are known, which others may be using.
pub(in crate::store) fn check(postgres: &Postgres) -> Result<(), OpenError> {
    let known = super::newest(&migrations::runner());
    match schema(Sql::from(postgres))? {
        Some(found) if found > known => Err(OpenError::Newer { found, known }),
        Some(_) | None => Ok(()),
    }
}

/// The version of the tables that are there; none in a new database.
pub(in crate::store) fn schema(sql: Sql<'_>) -> SqlResult<Option<u32>> {
    let there = "select to_regclass('refinery_schema_history') is not null as there";
    if sql.one(there, &[], |row| row.get("there"))? != Some(true) {
        return Ok(None);
    }
    let version = "select max(version) as version from refinery_schema_history";
    Ok(sql.one(version, &[], |row| row.get("version"))?.flatten())
}

fn bring(postgres: &mut Postgres, runner: Runner) -> Result<(), OpenError> {
    let sql = Sql::from(&*postgres);
    let lock = "select pg_try_advisory_lock(?1) as mine";
    if sql.one(lock, crate::sql::params![LOCK], |row| row.get("mine"))? != Some(true) {
        tracing::info!("another node is bringing the tables up to date; waiting for it");
        sql.run("select pg_advisory_lock(?1)", crate::sql::params![LOCK])?;
    }
    let brought = bring_alone(postgres, runner);
    // A session that failed here ends, and its lock with it.
    Sql::from(&*postgres).run("select pg_advisory_unlock(?1)", crate::sql::params![LOCK])?;
    brought
}

fn bring_alone(postgres: &mut Postgres, runner: Runner) -> Result<(), OpenError> {
    let known = super::newest(&runner);
    match schema(Sql::from(&*postgres))? {
        Some(found) if found > known => Err(OpenError::Newer { found, known }),
        Some(found) if found == known => Ok(()),
        Some(_) | None => {
            // Together: by itself each migration would be in one transaction and the note that it ran in the next.
            let runner = runner.set_grouped(true);
            postgres.with_client(async |client| runner.run_async(client).await)?;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Sqlite, params};
    use refinery::Migration;
    use std::collections::BTreeSet;
    use testbed::database;

    fn session(url: &str) -> Postgres {
        Postgres::connect(url).expect("a session")
    }

    fn runner(all: &[(&str, &str)]) -> Runner {
        let known: Vec<_> =
            all.iter().map(|(name, sql)| Migration::unapplied(name, sql).expect("a name")).collect();
        Runner::new(&known)
    }

    const FIRST: (&str, &str) =
        ("V1__cast", "create table cast_of (name text); insert into cast_of values ('Ana');");
    const SECOND: (&str, &str) =
        ("V2__roles", "create table roles (role text); insert into roles values ('owner');");
    const BROKEN: (&str, &str) =
        ("V3__broken", "create table more (a text); insert into nothing values (1);");

    /// Each column of each table with whether it may be empty, and each index that has a name of ours.
    fn shape(sql: Sql<'_>) -> BTreeSet<String> {
        let columns = sql.pick(
            "select t.name || '.' || c.name || case when c.\"notnull\" or c.pk > 0 then '' else ' or none' end as name
             from sqlite_schema t join pragma_table_info(t.name) c where t.type = 'table' and t.name not like 'sqlite_%'",
            "select table_name || '.' || column_name || case is_nullable when 'NO' then '' else ' or none' end as name
             from information_schema.columns where table_schema = 'public'",
        );
        let indexes = sql.pick(
            "select name from sqlite_schema where type = 'index' and name not like 'sqlite_%'",
            // What PostgreSQL names for itself stands for what SQLite gives no name.
            "select indexname as name from pg_indexes where schemaname = 'public' and indexname not like '%_key'
             and indexname not like '%_pkey' and indexname not in ('messages_place', 'messages_nonce', 'invites_nonce')",
        );
        let read = |text| sql.all(text, &[], |row| row.get::<String>("name")).expect("names");
        let all = read(columns).into_iter().chain(read(indexes));
        all.filter(|name| !name.starts_with("refinery_")).collect()
    }

    #[test]
    fn both_databases_have_the_same_tables() {
        let mut postgres = session(&database());
        run(&mut postgres).expect("the tables");
        let sqlite = Sqlite::new(rusqlite::Connection::open_in_memory().expect("a database"));
        for migration in crate::store::migrations::migrations::runner().get_migrations() {
            Sql::from(&sqlite).script(migration.sql().expect("a text")).expect("the tables");
        }
        let (of_postgres, of_sqlite) = (shape(Sql::from(&postgres)), shape(Sql::from(&sqlite)));
        assert!(of_sqlite.len() > 60, "{of_sqlite:?}");
        let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
            one.difference(other).cloned().collect::<Vec<_>>()
        };
        let none: [String; 0] = [];
        assert_eq!(only(&of_postgres, &of_sqlite), none, "only in PostgreSQL");
        assert_eq!(only(&of_sqlite, &of_postgres), none, "only in SQLite");
    }

    #[test]
    fn both_databases_have_the_same_migrations() {
        let names = |runner: Runner| {
            let of = |one: &Migration| (one.version(), one.name().to_owned());
            runner.get_migrations().iter().map(of).collect::<BTreeSet<_>>()
        };
        assert_eq!(names(migrations::runner()), names(crate::store::migrations::migrations::runner()));
    }

    #[test]
    fn tables_are_brought_up_to_date_once() {
        let mut postgres = session(&database());
        assert_eq!(schema(Sql::from(&postgres)).expect("an answer"), None);
        bring(&mut postgres, runner(&[FIRST])).expect("the tables");
        assert_eq!(schema(Sql::from(&postgres)).expect("an answer"), Some(1));
        for _ in 0..2 {
            bring(&mut postgres, runner(&[FIRST, SECOND])).expect("the tables");
            assert_eq!(schema(Sql::from(&postgres)).expect("an answer"), Some(2));
        }
        let roles = Sql::from(&postgres).all("select role from roles", &[], |row| row.get::<String>("role"));
        assert_eq!(roles.expect("rows"), ["owner"]);
    }

    #[test]
    fn a_migration_that_fails_leaves_all_as_it_was() {
        let mut postgres = session(&database());
        bring(&mut postgres, runner(&[FIRST])).expect("the tables");
        let failed = bring(&mut postgres, runner(&[FIRST, SECOND, BROKEN])).expect_err("broken");
        assert!(matches!(failed, OpenError::Migration(_)), "{failed:?}");
        assert_eq!(schema(Sql::from(&postgres)).expect("an answer"), Some(1));
        bring(&mut postgres, runner(&[FIRST, SECOND])).expect("the tables");
    }

    #[test]
    fn an_older_program_leaves_newer_tables_alone() {
        let url = database();
        let mut postgres = session(&url);
        bring(&mut postgres, runner(&[FIRST, SECOND])).expect("the tables");
        let refused = bring(&mut postgres, runner(&[FIRST])).expect_err("newer");
        assert!(matches!(refused, OpenError::Newer { found: 2, known: 1 }), "{refused:?}");
        let sql = Sql::from(&postgres);
        sql.run("update refinery_schema_history set version = 1000 where version = 2", &[]).expect("a row");
        assert!(matches!(check(&session(&url)), Err(OpenError::Newer { found: 1000, .. })));
    }

    #[test]
    fn nodes_that_start_at_once_take_turns() {
        let url = database();
        let nodes: Vec<_> = (0..4)
            .map(|_| {
                let mut postgres = session(&url);
                std::thread::spawn(move || bring(&mut postgres, runner(&[FIRST, SECOND])))
            })
            .collect();
        for node in nodes {
            node.join().expect("whole").expect("the tables");
        }
        let postgres = session(&url);
        let count = "select count(*) as n from cast_of";
        assert_eq!(Sql::from(&postgres).one(count, &[], |row| row.get::<i64>("n")).expect("a row"), Some(1));
        let free =
            Sql::from(&postgres)
                .one("select pg_try_advisory_lock(?1) as free", params![LOCK], |row| row.get::<bool>("free"));
        assert_eq!(free.expect("an answer"), Some(true));
    }
}
