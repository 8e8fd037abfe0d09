//! SQLite's file interface (https://sqlite.org/vfs.html), in front of its own.
//!
//! The one file of this crate with `unsafe` code, because SQLite calls in C. It translates SQLite's calls and decides
//! nothing.
#![allow(unsafe_code, reason = "SQLite's file interface is C")]

use super::medium::{Fault, Medium};
use super::plan::{Op, Part};
use rusqlite::ffi::{self, sqlite3_file, sqlite3_filename, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

static MEDIUM: OnceLock<Medium> = OnceLock::new();

/// Puts `medium` under every connection that is opened from now on. Once in a process.
pub(super) fn mount(medium: Medium) -> Result<(), String> {
    MEDIUM.set(medium).map_err(|_| "mounted twice".to_owned())?;
    // SAFETY: finds the default, which lives as long as the process; `ours` is never freed either, and all its functions
    // expect files that `open` made, of the size that it names.
    let registered = unsafe {
        let theirs = ffi::sqlite3_vfs_find(std::ptr::null());
        if theirs.is_null() {
            return Err("SQLite has no files to stand in front of".to_owned());
        }
        let mut ours = *theirs;
        ours.zName = c"sabotage".as_ptr();
        ours.pNext = std::ptr::null_mut();
        ours.pAppData = theirs.cast();
        ours.szOsFile += size_of::<Front>() as c_int;
        ours.xOpen = Some(open);
        ours.xDelete = Some(delete);
        ours.xAccess = Some(access);
        ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 1)
    };
    if registered == ffi::SQLITE_OK { Ok(()) } else { Err("SQLite does not take it".to_owned()) }
}

/// SQLite's handle of a file. The handle of the interface behind lies right after it.
#[repr(C)]
struct Front {
    base: sqlite3_file,
    opened: *mut Opened,
}

/// The file that is open.
struct Opened {
    path: PathBuf,
    part: Part,
    medium: &'static Medium,
}

impl Opened {
    fn new(path: &Path, flags: c_int) -> Option<Self> {
        let part =
            match flags & (ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL) {
                ffi::SQLITE_OPEN_MAIN_DB => Part::Database,
                ffi::SQLITE_OPEN_WAL => Part::Wal,
                ffi::SQLITE_OPEN_MAIN_JOURNAL => Part::Journal,
                _ => return None,
            };
        Some(Self { path: path.to_owned(), part, medium: MEDIUM.get()? })
    }

    fn ask(&self, op: Op) -> Result<(), c_int> {
        self.medium.ask(op, self.part).map_err(|fault| match fault {
            Fault::Broken => error(op),
            Fault::Full => ffi::SQLITE_FULL,
        })
    }
}

const fn error(op: Op) -> c_int {
    match op {
        Op::Read => ffi::SQLITE_IOERR_READ,
        Op::Write => ffi::SQLITE_IOERR_WRITE,
        Op::Truncate => ffi::SQLITE_IOERR_TRUNCATE,
        Op::Sync => ffi::SQLITE_IOERR_FSYNC,
    }
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// The handle of the interface behind.
///
/// # Safety
/// `file` was made by [`open`].
unsafe fn behind(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: `mount` asked for as much room behind the front as the interface behind needs.
    unsafe { file.cast::<Front>().add(1).cast() }
}

/// The open file; none for files that are left alone.
///
/// # Safety
/// `file` was made by [`open`] and is not closed.
unsafe fn opened<'a>(file: *mut sqlite3_file) -> Option<&'a Opened> {
    // SAFETY: `open` wrote either null or a box that `close` alone takes back.
    unsafe { (*file.cast::<Front>()).opened.as_ref() }
}

/// # Safety
/// `name` is null or ends with a zero byte.
unsafe fn path<'a>(name: *const c_char) -> Option<&'a Path> {
    if name.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    Some(Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes())))
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives as much room as `mount` asked for and a name that outlives the file; `pAppData` is the
    // interface behind.
    unsafe {
        let front = file.cast::<Front>();
        (*front).base.pMethods = std::ptr::null();
        (*front).opened = std::ptr::null_mut();
        let (real, theirs) = (behind(file), (*vfs).pAppData.cast::<sqlite3_vfs>());
        (*real).pMethods = std::ptr::null();
        let done =
            (*theirs).xOpen.map_or(ffi::SQLITE_ERROR, |open| open(theirs, name, real, flags, out_flags));
        if done != ffi::SQLITE_OK {
            return done;
        }
        if let Some(opened) = path(name).and_then(|path| Opened::new(path, flags)) {
            if opened.medium.holds() && opened.medium.open(&opened.path).is_err() {
                forward_close(real);
                return ffi::SQLITE_CANTOPEN;
            }
            (*front).opened = Box::into_raw(Box::new(opened));
        }
        (*front).base.pMethods = &raw const METHODS;
        ffi::SQLITE_OK
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync_dir: c_int) -> c_int {
    // SAFETY: `name` is SQLite's, `pAppData` the interface behind.
    unsafe {
        if let (Some(path), Some(medium)) = (path(name), MEDIUM.get()) {
            medium.delete(path);
        }
        let theirs = (*vfs).pAppData.cast::<sqlite3_vfs>();
        (*theirs).xDelete.map_or(ffi::SQLITE_ERROR, |delete| delete(theirs, name, sync_dir))
    }
}

unsafe extern "C" fn access(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: as for `delete`; `out` is SQLite's to be written.
    unsafe {
        // An empty file counts as none, and held bytes are not in the file yet.
        let held = path(name).and_then(|path| MEDIUM.get()?.size(path)).is_some_and(|size| size > 0);
        if held && flags == ffi::SQLITE_ACCESS_EXISTS {
            *out = 1;
            return ffi::SQLITE_OK;
        }
        let theirs = (*vfs).pAppData.cast::<sqlite3_vfs>();
        (*theirs).xAccess.map_or(ffi::SQLITE_ERROR, |access| access(theirs, name, flags, out))
    }
}

/// # Safety
/// `real` is an open file of the interface behind.
unsafe fn forward_close(real: *mut sqlite3_file) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { (*(*real).pMethods).xClose.map_or(ffi::SQLITE_ERROR, |close| close(real)) }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes what `open` made, once.
    unsafe {
        let closed = forward_close(behind(file));
        let front = file.cast::<Front>();
        if !(*front).opened.is_null() {
            let opened = Box::from_raw((*front).opened);
            (*front).opened = std::ptr::null_mut();
            if opened.medium.holds() {
                opened.medium.close(&opened.path);
            }
        }
        closed
    }
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    into: *mut c_void,
    amount: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives a file that `open` made and room for `amount` bytes, none of which are negative.
    unsafe {
        if let Some(opened) = opened(file) {
            if let Err(code) = opened.ask(Op::Read) {
                return code;
            }
            if opened.medium.holds() {
                // A read past the end of the file finds zeros, as SQLite demands.
                std::ptr::write_bytes(into.cast::<u8>(), 0, amount as usize);
                let bytes = std::slice::from_raw_parts_mut(into.cast::<u8>(), amount as usize);
                return match opened.medium.read(&opened.path, bytes, at as u64) {
                    Ok(read) if read == bytes.len() => ffi::SQLITE_OK,
                    Ok(_) => ffi::SQLITE_IOERR_SHORT_READ,
                    Err(_) => ffi::SQLITE_IOERR_READ,
                };
            }
        }
        let real = behind(file);
        (*(*real).pMethods).xRead.map_or(ffi::SQLITE_ERROR, |read| read(real, into, amount, at))
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    amount: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives a file that `open` made and `amount` bytes, none of which are negative.
    unsafe {
        if let Some(opened) = opened(file) {
            if let Err(code) = opened.ask(Op::Write) {
                return code;
            }
            if opened.medium.holds() {
                let bytes = std::slice::from_raw_parts(from.cast::<u8>(), amount as usize);
                return told(opened.medium.write(&opened.path, bytes, at as u64), Op::Write);
            }
        }
        let real = behind(file);
        (*(*real).pMethods).xWrite.map_or(ffi::SQLITE_ERROR, |write| write(real, from, amount, at))
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, to: sqlite3_int64) -> c_int {
    // SAFETY: SQLite gives a file that `open` made, and no negative size.
    unsafe {
        if let Some(opened) = opened(file) {
            if let Err(code) = opened.ask(Op::Truncate) {
                return code;
            }
            if opened.medium.holds() {
                return told(opened.medium.truncate(&opened.path, to as u64), Op::Truncate);
            }
        }
        let real = behind(file);
        (*(*real).pMethods).xTruncate.map_or(ffi::SQLITE_ERROR, |truncate| truncate(real, to))
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: SQLite gives a file that `open` made.
    unsafe {
        if let Some(opened) = opened(file) {
            if let Err(code) = opened.ask(Op::Sync) {
                return code;
            }
            if opened.medium.holds() {
                return told(opened.medium.sync(&opened.path), Op::Sync);
            }
        }
        let real = behind(file);
        (*(*real).pMethods).xSync.map_or(ffi::SQLITE_ERROR, |sync| sync(real, flags))
    }
}

fn told(done: std::io::Result<()>, op: Op) -> c_int {
    if done.is_ok() { ffi::SQLITE_OK } else { error(op) }
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, out: *mut sqlite3_int64) -> c_int {
    // SAFETY: SQLite gives a file that `open` made, and `out` to be written.
    unsafe {
        if let Some(size) = opened(file).and_then(|opened| opened.medium.size(&opened.path)) {
            *out = size as sqlite3_int64;
            return ffi::SQLITE_OK;
        }
        let real = behind(file);
        (*(*real).pMethods).xFileSize.map_or(ffi::SQLITE_ERROR, |size| size(real, out))
    }
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, op: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: SQLite gives a file that `open` made; the rest goes through as it came.
    unsafe {
        // A hint about the coming size would give the file that size, beyond what is held.
        if op == ffi::SQLITE_FCNTL_SIZE_HINT && opened(file).is_some_and(|opened| opened.medium.holds()) {
            return ffi::SQLITE_OK;
        }
        let real = behind(file);
        (*(*real).pMethods).xFileControl.map_or(ffi::SQLITE_NOTFOUND, |control| control(real, op, argument))
    }
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: SQLite gives a file that `open` made.
    unsafe {
        let real = behind(file);
        if let Some(barrier) = (*(*real).pMethods).xShmBarrier {
            barrier(real);
        }
    }
}

/// A method that passes its call on as it came.
macro_rules! forward {
    ($($name:ident as $method:ident($($argument:ident: $kind:ty),*);)*) => {$(
        unsafe extern "C" fn $name(file: *mut sqlite3_file, $($argument: $kind),*) -> c_int {
            // SAFETY: SQLite gives a file that `open` made, and what this method of the file behind expects.
            unsafe {
                let real = behind(file);
                (*(*real).pMethods).$method.map_or(ffi::SQLITE_ERROR, |method| method(real, $($argument),*))
            }
        }
    )*};
}

forward! {
    lock as xLock(how: c_int);
    unlock as xUnlock(how: c_int);
    check_reserved_lock as xCheckReservedLock(out: *mut c_int);
    sector_size as xSectorSize();
    device_characteristics as xDeviceCharacteristics();
    shm_map as xShmMap(region: c_int, size: c_int, extend: c_int, out: *mut *mut c_void);
    shm_lock as xShmLock(offset: c_int, count: c_int, flags: c_int);
    shm_unmap as xShmUnmap(delete: c_int);
}
