//! The unprivileged user that `--user` names.

use std::ffi::{CStr, CString};
use std::io;

use super::PrivilegeError;

/// A user of this host, looked up before privileges are given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
    /// All groups it is in, its own too.
    pub groups: Vec<u32>,
}

impl User {
    /// Looks a user up by name, wherever this host keeps its users.
    ///
    /// # Errors
    /// There is no such user, it is root, or the lookup failed.
    pub fn find(name: &str) -> Result<Self, PrivilegeError> {
        let unknown = || PrivilegeError::UnknownUser {
            name: name.to_owned(),
        };
        let c_name = CString::new(name).map_err(|_nul| unknown())?;
        let (uid, gid) = ids(&c_name)
            .map_err(|error| PrivilegeError::system(format!("look up user {name:?}"), error))?
            .ok_or_else(unknown)?;
        if uid == 0 {
            return Err(PrivilegeError::PrivilegedUser {
                name: name.to_owned(),
            });
        }
        Ok(Self {
            name: name.to_owned(),
            uid,
            gid,
            groups: groups(&c_name, gid),
        })
    }

    /// Changes the whole process to this user and its groups, for good.
    pub(super) fn become_user(&self) -> Result<(), PrivilegeError> {
        let check = |result: libc::c_int| match result {
            0 => Ok(()),
            _ => Err(PrivilegeError::system(
                format!("become user {:?} (only root can)", self.name),
                io::Error::last_os_error(),
            )),
        };
        // Groups first: without the rights of root they can no longer be changed.
        // SAFETY: the pointer and the length are of one live slice, which is only read.
        check(unsafe { libc::setgroups(self.groups.len(), self.groups.as_ptr()) })?;
        // SAFETY: takes numbers only.
        check(unsafe { libc::setresgid(self.gid, self.gid, self.gid) })?;
        // SAFETY: takes numbers only.
        check(unsafe { libc::setresuid(self.uid, self.uid, self.uid) })
    }
}

/// The numbers of a user and its group.
fn ids(name: &CStr) -> io::Result<Option<(u32, u32)>> {
    const LARGEST: usize = 1 << 20;
    let mut buffer = vec![0; 1024];
    loop {
        // SAFETY: all-zero is a valid `passwd`: null pointers and numbers.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found = std::ptr::null_mut();
        // SAFETY: the name ends with NUL, all pointers are to live values, and the length is the
        // buffer's. What `entry` points at afterwards lies in `buffer` and is not used.
        let result = unsafe {
            libc::getpwnam_r(
                name.as_ptr(),
                &raw mut entry,
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut found,
            )
        };
        match result {
            0 if found.is_null() => return Ok(None),
            0 => return Ok(Some((entry.pw_uid, entry.pw_gid))),
            libc::ERANGE if buffer.len() < LARGEST => buffer.resize(buffer.len() * 4, 0),
            libc::EINTR => {}
            // What some sources of users answer for "not found".
            libc::ENOENT | libc::ESRCH => return Ok(None),
            error => return Err(io::Error::from_raw_os_error(error)),
        }
    }
}

/// All groups of a user; the first 65,536, which is as many as the kernel takes.
fn groups(name: &CStr, gid: u32) -> Vec<u32> {
    const LARGEST: usize = 1 << 16;
    let mut groups: Vec<u32> = vec![0; 64];
    loop {
        let mut count = libc::c_int::try_from(groups.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: the name ends with NUL, and `count` says how many numbers `groups` has room for.
        let result =
            unsafe { libc::getgrouplist(name.as_ptr(), gid, groups.as_mut_ptr(), &raw mut count) };
        let count = usize::try_from(count).unwrap_or_default();
        if result >= 0 {
            groups.truncate(count);
            return groups;
        }
        if groups.len() >= LARGEST {
            return groups;
        }
        groups.resize(groups.len() * 4, 0);
    }
}
