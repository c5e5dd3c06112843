//! The structures of `linux/fuse.h`, in the order of their use.

use super::wire::structures;

structures! {
    /// What stat(2) tells.
    Attr {
        /// The host's number.
        ino: u64,
        /// Bytes.
        size: u64,
        /// Of 512 bytes.
        blocks: u64,
        /// Seconds, signed.
        atime: u64,
        /// Seconds, signed.
        mtime: u64,
        /// Seconds, signed.
        ctime: u64,
        /// Nanoseconds.
        atimensec: u32,
        /// Nanoseconds.
        mtimensec: u32,
        /// Nanoseconds.
        ctimensec: u32,
        /// Type and permissions.
        mode: u32,
        /// Names.
        nlink: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// As the kernel encodes it: see [`device`].
        rdev: u32,
        /// Preferred block.
        blksize: u32,
        /// 0.
        flags: u32,
    }

    /// Before each request.
    InHeader {
        /// Of the request, with this.
        len: u32,
        /// See [`super::opcode`].
        opcode: u32,
        /// Names the request in its reply.
        unique: u64,
        /// The file that it is about.
        nodeid: u64,
        /// Who asks.
        uid: u32,
        /// Who asks.
        gid: u32,
        /// Who asks.
        pid: u32,
        /// 0: extensions are not known.
        total_extlen: u16,
        /// 0.
        padding: u16,
    }

    /// Before each reply.
    OutHeader {
        /// Of the reply, with this.
        len: u32,
        /// 0, or a negative errno.
        error: i32,
        /// The request's.
        unique: u64,
    }

    /// INIT.
    InitIn {
        /// The client's version.
        major: u32,
        /// The client's version.
        minor: u32,
        /// Bytes.
        max_readahead: u32,
        /// What the client can.
        flags: u32,
        /// More of that.
        flags2: u32,
        /// 0.
        unused: [u32; 11],
    }

    /// Answer of INIT.
    InitOut {
        /// The server's version.
        major: u32,
        /// The server's version.
        minor: u32,
        /// Bytes.
        max_readahead: u32,
        /// What both can.
        flags: u32,
        /// Unused.
        max_background: u16,
        /// Unused.
        congestion_threshold: u16,
        /// Most bytes of a write or read.
        max_write: u32,
        /// Of times, in nanoseconds.
        time_gran: u32,
        /// `max_write` in pages.
        max_pages: u16,
        /// 0.
        map_alignment: u16,
        /// More flags.
        flags2: u32,
        /// 0.
        unused: [u32; 7],
    }

    /// A file that was looked up or made. Each counts as one lookup, to be given back by FORGET.
    EntryOut {
        /// Its number from here on; 0 if there is none.
        nodeid: u64,
        /// 0: numbers are never used again.
        generation: u64,
        /// Seconds for which the name may be cached.
        entry_valid: u64,
        /// Seconds for which the attributes may be cached.
        attr_valid: u64,
        /// Nanoseconds of these.
        entry_valid_nsec: u32,
        /// Nanoseconds of these.
        attr_valid_nsec: u32,
        /// Its attributes.
        attr: Attr,
    }

    /// FORGET: one number.
    ForgetIn {
        /// How many lookups are given back.
        nlookup: u64,
    }

    /// One of BATCH_FORGET.
    ForgetOne {
        /// The file.
        nodeid: u64,
        /// How many lookups are given back.
        nlookup: u64,
    }

    /// BATCH_FORGET; as many [`ForgetOne`] follow.
    BatchForgetIn {
        /// How many.
        count: u32,
        /// 0.
        dummy: u32,
    }

    /// GETATTR.
    GetattrIn {
        /// [`super::flags::GETATTR_FH`].
        flags: u32,
        /// 0.
        dummy: u32,
        /// Handle, if valid.
        fh: u64,
    }

    /// Answer of GETATTR and SETATTR.
    AttrOut {
        /// Seconds for which they may be cached.
        attr_valid: u64,
        /// Nanoseconds of these.
        attr_valid_nsec: u32,
        /// 0.
        dummy: u32,
        /// The attributes.
        attr: Attr,
    }

    /// SETATTR.
    SetattrIn {
        /// `SET_*`: which fields count.
        valid: u32,
        /// 0.
        padding: u32,
        /// Handle.
        fh: u64,
        /// Bytes.
        size: u64,
        /// Unused.
        lock_owner: u64,
        /// Seconds, signed.
        atime: u64,
        /// Seconds, signed.
        mtime: u64,
        /// Unused.
        ctime: u64,
        /// Nanoseconds.
        atimensec: u32,
        /// Nanoseconds.
        mtimensec: u32,
        /// Unused.
        ctimensec: u32,
        /// Permissions.
        mode: u32,
        /// 0.
        unused4: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// 0.
        unused5: u32,
    }

    /// MKNOD; the name follows.
    MknodIn {
        /// Type and permissions.
        mode: u32,
        /// As the kernel encodes it.
        rdev: u32,
        /// Of who asks.
        umask: u32,
        /// 0.
        padding: u32,
    }

    /// MKDIR; the name follows.
    MkdirIn {
        /// Permissions.
        mode: u32,
        /// Of who asks.
        umask: u32,
    }

    /// RENAME; old name and new name follow.
    RenameIn {
        /// Directory of the new name.
        newdir: u64,
    }

    /// RENAME2; old name and new name follow.
    Rename2In {
        /// Directory of the new name.
        newdir: u64,
        /// Those of renameat2(2).
        flags: u32,
        /// 0.
        padding: u32,
    }

    /// LINK; the name follows.
    LinkIn {
        /// The file that gets a name.
        oldnodeid: u64,
    }

    /// OPEN and OPENDIR.
    OpenIn {
        /// Those of open(2).
        flags: u32,
        /// Unused.
        open_flags: u32,
    }

    /// CREATE (the name follows) and TMPFILE.
    CreateIn {
        /// Those of open(2).
        flags: u32,
        /// Permissions.
        mode: u32,
        /// Of who asks.
        umask: u32,
        /// Unused.
        open_flags: u32,
    }

    /// Answer of OPEN and OPENDIR; of CREATE and TMPFILE behind an [`EntryOut`].
    OpenOut {
        /// The handle.
        fh: u64,
        /// `OPEN_*`.
        open_flags: u32,
        /// 0.
        padding: u32,
    }

    /// RELEASE and RELEASEDIR.
    ReleaseIn {
        /// The handle.
        fh: u64,
        /// Unused.
        flags: u32,
        /// `RELEASE_*`.
        release_flags: u32,
        /// Unused.
        lock_owner: u64,
    }

    /// FLUSH: a descriptor is closed.
    FlushIn {
        /// The handle.
        fh: u64,
        /// 0.
        unused: u32,
        /// 0.
        padding: u32,
        /// Its locks of fcntl(2) on the file go.
        lock_owner: u64,
    }

    /// READ, READDIR, READDIRPLUS.
    ReadIn {
        /// The handle.
        fh: u64,
        /// Bytes; of a directory, the last entry's `off` or 0.
        offset: u64,
        /// Room for the answer, in bytes.
        size: u32,
        /// Unused.
        read_flags: u32,
        /// Unused.
        lock_owner: u64,
        /// Unused.
        flags: u32,
        /// 0.
        padding: u32,
    }

    /// WRITE; the data follows.
    WriteIn {
        /// The handle.
        fh: u64,
        /// Bytes.
        offset: u64,
        /// Of the data.
        size: u32,
        /// `WRITE_*`.
        write_flags: u32,
        /// Unused.
        lock_owner: u64,
        /// Flags of open(2) of this write: O_APPEND, O_DSYNC, O_SYNC.
        flags: u32,
        /// 0.
        padding: u32,
    }

    /// Answer of WRITE and COPY_FILE_RANGE.
    WriteOut {
        /// Bytes written.
        size: u32,
        /// 0.
        padding: u32,
    }

    /// What statfs(2) tells; the answer of STATFS.
    Kstatfs {
        /// In all.
        blocks: u64,
        /// Free.
        bfree: u64,
        /// Free for everyone.
        bavail: u64,
        /// Inodes.
        files: u64,
        /// Free ones.
        ffree: u64,
        /// Preferred block.
        bsize: u32,
        /// Longest name.
        namelen: u32,
        /// Unit of the first three.
        frsize: u32,
        /// 0.
        padding: u32,
        /// 0.
        spare: [u32; 6],
    }

    /// FSYNC and FSYNCDIR.
    FsyncIn {
        /// The handle.
        fh: u64,
        /// `FSYNC_*`.
        fsync_flags: u32,
        /// 0.
        padding: u32,
    }

    /// SETXATTR in its short form; name and value follow.
    SetxattrIn {
        /// Of the value.
        size: u32,
        /// Those of setxattr(2).
        flags: u32,
    }

    /// GETXATTR (the name follows) and LISTXATTR.
    GetxattrIn {
        /// Room for the answer, in bytes; 0 asks how much is needed.
        size: u32,
        /// 0.
        padding: u32,
    }

    /// Answer of these to a size of 0; else the bytes themselves.
    GetxattrOut {
        /// Bytes needed.
        size: u32,
        /// 0.
        padding: u32,
    }

    /// A lock of fcntl(2).
    FileLock {
        /// First byte.
        start: u64,
        /// Last byte; from 2^63 - 1 on the end of all files.
        end: u64,
        /// F_RDLCK, F_WRLCK or F_UNLCK.
        kind: u32,
        /// Who holds it, if known.
        pid: u32,
    }

    /// GETLK, SETLK, SETLKW.
    LkIn {
        /// The handle.
        fh: u64,
        /// Who locks: any number of the client's choice.
        owner: u64,
        /// The lock.
        lk: FileLock,
        /// `LK_*`.
        lk_flags: u32,
        /// 0.
        padding: u32,
    }

    /// ACCESS.
    AccessIn {
        /// That of access(2).
        mask: u32,
        /// 0.
        padding: u32,
    }

    /// INTERRUPT.
    InterruptIn {
        /// The request that need not be waited for any more.
        unique: u64,
    }

    /// FALLOCATE.
    FallocateIn {
        /// The handle.
        fh: u64,
        /// Bytes.
        offset: u64,
        /// Bytes.
        length: u64,
        /// That of fallocate(2).
        mode: u32,
        /// 0.
        padding: u32,
    }

    /// LSEEK.
    LseekIn {
        /// The handle.
        fh: u64,
        /// Bytes.
        offset: u64,
        /// SEEK_DATA or SEEK_HOLE.
        whence: u32,
        /// 0.
        padding: u32,
    }

    /// Answer of LSEEK.
    LseekOut {
        /// Bytes.
        offset: u64,
    }

    /// COPY_FILE_RANGE.
    CopyFileRangeIn {
        /// Handle to read from.
        fh_in: u64,
        /// Bytes.
        off_in: u64,
        /// File to write to.
        nodeid_out: u64,
        /// Its handle.
        fh_out: u64,
        /// Bytes.
        off_out: u64,
        /// Bytes.
        len: u64,
        /// 0.
        flags: u64,
    }

    /// An entry of READDIR; its name follows, and zeros up to a multiple of 8 bytes.
    Dirent {
        /// The host's number.
        ino: u64,
        /// Where the next request goes on.
        off: u64,
        /// Of the name, without a NUL.
        namelen: u32,
        /// `DT_*` of readdir(3).
        kind: u32,
    }

    /// STATX.
    StatxIn {
        /// [`super::flags::GETATTR_FH`].
        getattr_flags: u32,
        /// 0.
        reserved: u32,
        /// Handle, if valid.
        fh: u64,
        /// Unused.
        sx_flags: u32,
        /// That of statx(2).
        sx_mask: u32,
    }

    /// A time of statx(2).
    SxTime {
        /// Seconds.
        tv_sec: i64,
        /// Nanoseconds.
        tv_nsec: u32,
        /// 0.
        reserved: i32,
    }

    /// What statx(2) tells.
    Statx {
        /// Which fields count.
        mask: u32,
        /// Preferred block.
        blksize: u32,
        /// `STATX_ATTR_*`.
        attributes: u64,
        /// Names.
        nlink: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// Type and permissions.
        mode: u16,
        /// 0.
        spare0: u16,
        /// The host's number.
        ino: u64,
        /// Bytes.
        size: u64,
        /// Of 512 bytes.
        blocks: u64,
        /// Which attributes count.
        attributes_mask: u64,
        /// Access.
        atime: SxTime,
        /// Birth.
        btime: SxTime,
        /// Change of the inode.
        ctime: SxTime,
        /// Change of the data.
        mtime: SxTime,
        /// Device.
        rdev_major: u32,
        /// Device.
        rdev_minor: u32,
        /// The file system's device.
        dev_major: u32,
        /// The file system's device.
        dev_minor: u32,
        /// 0.
        spare2: [u64; 14],
    }

    /// Answer of STATX.
    StatxOut {
        /// Seconds for which they may be cached.
        attr_valid: u64,
        /// Nanoseconds of these.
        attr_valid_nsec: u32,
        /// 0.
        flags: u32,
        /// 0.
        spare: [u64; 2],
        /// The attributes.
        stat: Statx,
    }
}

/// A device's number as [`Attr::rdev`] has it.
pub const fn device(major: u32, minor: u32) -> u32 {
    minor & 0xff | (major & 0xfff) << 8 | (minor & !0xff) << 12
}

/// Major and minor number of a device that [`device`] encoded.
pub const fn major_minor(device: u32) -> (u32, u32) {
    (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xf_ff00)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuse::wire::Wire;

    #[test]
    fn structures_are_as_long_as_the_kernel_s() {
        // sizeof of each, from linux/fuse.h of 6.6.
        let lengths = [
            (Attr::LEN, 88),
            (InHeader::LEN, 40),
            (OutHeader::LEN, 16),
            (InitIn::LEN, 64),
            (InitOut::LEN, 64),
            (EntryOut::LEN, 128),
            (AttrOut::LEN, 104),
            (SetattrIn::LEN, 88),
            (MknodIn::LEN, 16),
            (CreateIn::LEN, 16),
            (OpenOut::LEN, 16),
            (ReleaseIn::LEN, 24),
            (ReadIn::LEN, 40),
            (WriteIn::LEN, 40),
            (Kstatfs::LEN, 80),
            (LkIn::LEN, 48),
            (FallocateIn::LEN, 32),
            (CopyFileRangeIn::LEN, 56),
            (Dirent::LEN, 24),
            (StatxIn::LEN, 24),
            (Statx::LEN, 256),
            (StatxOut::LEN, 288),
        ];
        for (index, (found, expected)) in lengths.into_iter().enumerate() {
            assert_eq!(found, expected, "{index}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let header = InHeader {
            len: 40,
            opcode: 3,
            unique: u64::MAX - 1,
            nodeid: 1 << 40,
            uid: 1,
            gid: 2,
            pid: 3,
            total_extlen: 0xabcd,
            padding: 0,
        };
        let bytes = header.to_bytes();
        assert_eq!(bytes[..8], [40, 0, 0, 0, 3, 0, 0, 0]);
        assert_eq!(InHeader::take(&bytes), Some((header, &[][..])));
        assert_eq!(InHeader::get(&bytes[..39]), None);
        let mut short = [0; 39];
        assert!(!header.put(&mut short));
        let out = InitOut {
            unused: [1, 2, 3, 4, 5, 6, 7],
            ..InitOut::default()
        };
        assert_eq!(InitOut::get(&out.to_bytes()), Some(out));
    }

    #[test]
    fn devices_are_encoded_as_the_kernel_does() {
        assert_eq!(device(8, 1), 0x801);
        for (major, minor) in [(0, 0), (1, 3), (259, 7), (4095, 0xf_ffff)] {
            assert_eq!(major_minor(device(major, minor)), (major, minor));
        }
    }
}
