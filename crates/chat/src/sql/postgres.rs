//! PostgreSQL, over a socket.
//!
//! The driver is asynchronous and what this crate does with a database is not: each session has a runtime of its own,
//! which runs on whichever thread waits for an answer. Between statements nothing of it runs.

mod address;
mod encode;
mod greeting;
mod numbered;
mod trust;

use super::error::{SqlError, SqlResult, in_short, is_lost};
use super::row::Row;
use super::value::Value;
use encode::{check, type_of};
use futures_util::future::{join, maybe_done};
use futures_util::stream::Stream;
use numbered::numbered;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, RowStream, Statement};

pub(super) use encode::stored;

type Answer<T> = Result<T, tokio_postgres::Error>;

/// How many statements are kept prepared.
const STATEMENTS: usize = 128;
/// How many rows at most are taken from the socket before the first of them is handed out.
const ROWS: usize = 64;
/// How many turns the task that owns the socket needs to hear that there is something to read, to read it, and to end.
const TURNS: usize = 4;

/// One session with a PostgreSQL server. Every function blocks its thread, so none may be called from a task.
pub(crate) struct Postgres {
    client: Client,
    engine: Engine,
    /// Why the session ended, once it has.
    ended: Arc<OnceLock<String>>,
    statements: RefCell<HashMap<Box<str>, Statement>>,
    /// The statement that begins a transaction, sent together with the first statement in it.
    begin: Cell<Option<&'static str>>,
    /// Whether the rows of a statement are still arriving.
    stepping: Cell<bool>,
}

impl Postgres {
    /// Begins a session with the server at `url`, which begins with `postgres://`.
    ///
    /// # Errors
    /// `Address` when nobody can connect with this address, `Unfit` when the server would lose what it is told to keep,
    /// `Lost` when it does not answer or is not ready, and what the server says when it refuses.
    pub(crate) fn connect(url: &str) -> SqlResult<Self> {
        let address = address::parse(url)?;
        let tls = address.trust.connector()?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| SqlError::Lost(error.to_string()))?;
        let ended = Arc::new(OnceLock::new());
        let noting = Arc::clone(&ended);
        let client = runtime.block_on(async {
            let (client, connection) = address.config.connect(tls).await.map_err(not_connected)?;
            drop(tokio::spawn(async move {
                let how = connection.await.err().map_or_else(|| "it was closed".to_owned(), |e| in_short(&e));
                // The only place that sets it.
                let _ = noting.set(how);
            }));
            greeting::greet(&client).await?;
            Ok::<_, SqlError>(client)
        })?;
        Ok(Self {
            client,
            engine: Engine(Some(runtime)),
            ended,
            statements: RefCell::default(),
            begin: Cell::new(None),
            stepping: Cell::new(false),
        })
    }

    /// Lets somebody else speak to the driver, on this thread.
    pub(crate) fn with_client<T>(&mut self, work: impl AsyncFnOnce(&mut Client) -> T) -> T {
        self.engine.block_on(work(&mut self.client))
    }

    /// Whether the session still is one, as far as the socket can tell without asking the server.
    pub(crate) fn is_alive(&self) -> bool {
        self.block_on(turns());
        !self.client.is_closed()
    }

    /// Sends `begin` together with the next statement, which saves a round trip.
    pub(crate) fn begin_lazily(&self, begin: &'static str) {
        self.begin.set(Some(begin));
    }

    /// Ends the transaction and keeps what it did.
    ///
    /// # Errors
    /// `RolledBack` when one of its statements had failed: PostgreSQL answers to `commit` as if all were well. After
    /// `Lost` nobody knows whether it was kept.
    pub(crate) fn commit(&self) -> SqlResult<()> {
        self.commit_after(&[])
    }

    /// Sends these last statements of the transaction together with its end, which saves a way there and back.
    ///
    /// # Errors
    /// Those of [`Postgres::commit`], and what was wrong with the first statement that failed: then nothing was kept.
    pub(crate) fn commit_after(&self, statements: &[(&str, &[Value<'_>])]) -> SqlResult<()> {
        if statements.is_empty() && self.begin.take().is_some() {
            return Ok(());
        }
        // After a failed statement all others fail but the last one, `commit`.
        let committed = self.together(statements, Some("select 1; commit"));
        let Err(error) = committed else { return Ok(()) };
        if !error.is_lost() {
            self.rollback()?;
        }
        match error {
            SqlError::Postgres(error) if error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION) => {
                Err(SqlError::RolledBack)
            }
            other => Err(other),
        }
    }

    /// Ends the transaction and forgets what it did. Does not wait for the answer, which is always the same.
    pub(crate) fn rollback(&self) -> SqlResult<()> {
        if self.begin.take().is_some() {
            return Ok(());
        }
        self.is_free()?;
        let mut asked = pin!(self.client.batch_execute("rollback"));
        let sent = self.block_on(async {
            let first = std::future::poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx))).await;
            // Now the task that owns the socket has its turn, and writes.
            tokio::task::yield_now().await;
            first
        });
        match sent {
            Poll::Ready(Err(error)) => Err(self.explain(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    /// Sends all statements at once, waits for all answers, and says how many rows each changed. When one fails, those
    /// after it were sent all the same; inside a transaction they fail, too.
    pub(crate) fn pipeline(&self, statements: &[(&str, &[Value<'_>])]) -> SqlResult<Vec<u64>> {
        self.together(statements, None)
    }

    /// Asks two questions at once, and reads both answers.
    pub(crate) fn both<A, B>(
        &self,
        one: (&str, &[Value<'_>], impl FnMut(&Row<'_>) -> SqlResult<A>),
        other: (&str, &[Value<'_>], impl FnMut(&Row<'_>) -> SqlResult<B>),
    ) -> SqlResult<(Vec<A>, Vec<B>)> {
        let ((text, params, mut read), (other, other_params, mut read_other)) = (one, other);
        let (statement, other_statement) = (self.prepare(text, params)?, self.prepare(other, other_params)?);
        let rows = self.ask(async {
            // Sent in the order in which they are polled first.
            let (rows, others) =
                join(self.rows(&statement, params), self.rows(&other_statement, other_params)).await;
            Ok((rows?, others?))
        });
        let (rows, others) = self.forget_stale(other, self.forget_stale(text, rows))?;
        let rows = rows.iter().map(|row| read(&Row::postgres(row))).collect::<SqlResult<_>>()?;
        let others = others.iter().map(|row| read_other(&Row::postgres(row))).collect::<SqlResult<_>>()?;
        Ok((rows, others))
    }

    fn together(&self, statements: &[(&str, &[Value<'_>])], end: Option<&str>) -> SqlResult<Vec<u64>> {
        let mut asked = Vec::with_capacity(statements.len());
        for (text, params) in statements {
            let statement = self.prepare(text, params)?;
            asked.push(Box::pin(maybe_done(async move {
                self.client.execute_raw(&statement, dynamic(params)).await
            })));
        }
        self.is_free()?;
        let mut ended = pin!(maybe_done(async {
            match end {
                Some(end) => self.client.batch_execute(end).await,
                None => Ok(()),
            }
        }));
        let answers = async {
            // A statement is sent when its future is polled first: this is their order.
            std::future::poll_fn(|cx| {
                asked.iter_mut().for_each(|one| {
                    let _ = one.as_mut().poll(cx);
                });
                let _ = ended.as_mut().poll(cx);
                Poll::Ready(())
            })
            .await;
            let mut answers = Vec::with_capacity(asked.len());
            for mut one in asked {
                one.as_mut().await;
                answers.extend(one.as_mut().take_output());
            }
            ended.as_mut().await;
            Ok((answers, ended.as_mut().take_output()))
        };
        let (answers, ended): (Vec<Answer<u64>>, Option<Answer<()>>) = self.ask(answers)?;
        let answers = answers.into_iter().collect::<Answer<_>>();
        answers
            .and_then(|answers| ended.unwrap_or(Ok(())).map(|()| answers))
            .map_err(|error| self.explain(error))
    }

    /// Ends the session as the server likes it: with a farewell.
    pub(crate) fn close(self) {
        let Self { client, engine, statements, .. } = self;
        drop((statements, client));
        // The task that owns the socket has nobody left to work for. It says farewell in one of its next turns.
        engine.block_on(turns());
    }

    pub(super) fn one<T>(
        &self,
        text: &str,
        params: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> SqlResult<T>,
    ) -> SqlResult<Option<T>> {
        let statement = self.prepare(text, params)?;
        let first = self.ask(async {
            let mut rows = pin!(self.client.query_raw(&statement, dynamic(params)).await?);
            let first = next(rows.as_mut()).await?;
            if first.is_some() {
                // What a statement writes is only certain at its end.
                while next(rows.as_mut()).await?.is_some() {}
            }
            Ok(first)
        });
        let first = self.forget_stale(text, first)?;
        first.map(|row| read(&Row::postgres(&row))).transpose()
    }

    pub(super) fn all<T>(
        &self,
        text: &str,
        params: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> SqlResult<T>,
    ) -> SqlResult<Vec<T>> {
        let statement = self.prepare(text, params)?;
        let rows = self.ask(self.rows(&statement, params));
        self.forget_stale(text, rows)?.iter().map(|row| read(&Row::postgres(row))).collect()
    }

    pub(super) fn each(
        &self,
        text: &str,
        params: &[Value<'_>],
        mut step: impl FnMut(&Row<'_>) -> SqlResult<ControlFlow<()>>,
    ) -> SqlResult<()> {
        let statement = self.prepare(text, params)?;
        let rows = self.ask(self.client.query_raw(&statement, dynamic(params)));
        let mut rows = pin!(self.forget_stale(text, rows)?);
        let mut ended = false;
        while !ended {
            let arrived;
            (arrived, ended) = self.block_on(some(rows.as_mut())).map_err(|error| self.explain(error))?;
            self.stepping.set(true);
            let stepped = arrived.iter().try_for_each(|row| match step(&Row::postgres(row)) {
                Ok(ControlFlow::Continue(())) => ControlFlow::Continue(()),
                Ok(ControlFlow::Break(())) => ControlFlow::Break(Ok(())),
                Err(error) => ControlFlow::Break(Err(error)),
            });
            self.stepping.set(false);
            if let ControlFlow::Break(broken_off) = stepped {
                return broken_off;
            }
        }
        Ok(())
    }

    pub(super) fn run(&self, text: &str, params: &[Value<'_>]) -> SqlResult<u64> {
        let statement = self.prepare(text, params)?;
        let changed = self.ask(self.client.execute_raw(&statement, dynamic(params)));
        self.forget_stale(text, changed)
    }

    pub(super) fn script(&self, text: &str) -> SqlResult<()> {
        self.is_free()?;
        self.ask(self.client.batch_execute(text))
    }

    /// The statement with this text, prepared once for the session.
    fn prepare(&self, text: &str, params: &[Value<'_>]) -> SqlResult<Statement> {
        self.is_free()?;
        check(params)?;
        if let Some(statement) = self.statements.borrow().get(text) {
            return Ok(statement.clone());
        }
        let types: Vec<Type> = params.iter().map(|value| type_of(value.kind())).collect();
        let statement = self.ask(self.client.prepare_typed(&numbered(text), &types))?;
        let mut known = self.statements.borrow_mut();
        if known.len() >= STATEMENTS {
            known.clear();
        }
        known.insert(text.into(), statement.clone());
        Ok(statement)
    }

    /// Waits for an answer, after the one to the statement that begins the transaction if there is one.
    fn ask<T>(&self, asked: impl Future<Output = Answer<T>>) -> SqlResult<T> {
        let answer = match self.begin.take() {
            None => self.block_on(asked),
            Some(begin) => self.block_on(async {
                // Sent in the order in which they are polled first.
                let (begun, answer) = join(self.client.batch_execute(begin), asked).await;
                begun.and(answer)
            }),
        };
        answer.map_err(|error| self.explain(error))
    }

    /// Forgets a prepared statement that the server does not know any more, or whose tables are others now.
    fn forget_stale<T>(&self, text: &str, answer: SqlResult<T>) -> SqlResult<T> {
        if let Err(SqlError::Postgres(error)) = &answer
            && let Some(code) = error.code()
            && [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::FEATURE_NOT_SUPPORTED].contains(code)
        {
            self.statements.borrow_mut().remove(text);
        }
        answer
    }

    async fn rows(&self, statement: &Statement, params: &[Value<'_>]) -> Answer<Vec<tokio_postgres::Row>> {
        let mut rows = pin!(self.client.query_raw(statement, dynamic(params)).await?);
        let mut all = Vec::new();
        while let Some(row) = next(rows.as_mut()).await? {
            all.push(row);
        }
        Ok(all)
    }

    fn is_free(&self) -> SqlResult<()> {
        if self.stepping.get() { Err(SqlError::Busy) } else { Ok(()) }
    }

    /// The error, with the reason why the session ended if that is what it is about.
    fn explain(&self, error: tokio_postgres::Error) -> SqlError {
        match self.ended.get() {
            Some(how) if is_lost(&error) => SqlError::Lost(how.clone()),
            Some(_) | None => error.into(),
        }
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.engine.block_on(future)
    }
}

/// What runs the session's side of the socket; none only while it is being dropped.
struct Engine(Option<Runtime>);

impl Engine {
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        // Only `drop` takes it, and nothing comes after that.
        self.0.as_ref().expect("a session has its runtime until it is dropped").block_on(future)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A runtime that is dropped waits for what it runs, which a task must not do.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Lets the task that owns the socket do what it can without waiting.
async fn turns() {
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
}

/// What stood in the way of a session: a server that refuses it says so, anything else may be gone at the next try.
fn not_connected(error: tokio_postgres::Error) -> SqlError {
    if error.as_db_error().is_some() && !is_lost(&error) {
        return error.into();
    }
    if let Some(why) = trust::distrusted(&error) {
        return SqlError::Unfit(format!(
            "The PostgreSQL server shows a certificate that is not to be trusted: {why}. Name a file with the \
             certificate of those who vouch for it with `sslrootcert=` in the address."
        ));
    }
    SqlError::Lost(in_short(&error))
}

fn dynamic<'a>(params: &'a [Value<'a>]) -> impl ExactSizeIterator<Item = &'a (dyn ToSql + Sync)> {
    params.iter().map(|value| value as &(dyn ToSql + Sync))
}

/// The next row, or none at the end. Asked once more, the stream would say that the session is closed.
async fn next(mut rows: Pin<&mut RowStream>) -> Answer<Option<tokio_postgres::Row>> {
    std::future::poll_fn(|cx| rows.as_mut().poll_next(cx)).await.transpose()
}

/// The next rows, as many as have arrived and at most [`ROWS`], and whether they were the last.
async fn some(mut rows: Pin<&mut RowStream>) -> Answer<(Vec<tokio_postgres::Row>, bool)> {
    let mut some = Vec::new();
    let ended = std::future::poll_fn(|cx| {
        while some.len() < ROWS {
            match rows.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(row))) => some.push(row),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => return Poll::Ready(Ok(true)),
                Poll::Pending if some.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(false))
    })
    .await?;
    Ok((some, ended))
}
