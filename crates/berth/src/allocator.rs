use std::hint::black_box;

/// How large the block is.
const BLOCK_BYTES: usize = 1024 * 1024;

/// Has the system's allocator keep a little of what was freed, instead of giving it back to the
/// kernel at once.
///
/// glibc gives back what is free at the end of an arena from 128 KiB on. An upload frees half a
/// megabyte after each batch and allocates as much for the next one, so that the kernel would clear
/// the same pages over and over. When a block is freed that was mapped by itself, blocks up to its
/// size are no longer mapped by themselves, and each arena keeps up to twice as much: here, 2 MiB.
/// The block is never touched, so it takes no memory. Other allocators do not mind.
pub(crate) fn keep_freed_memory() {
    drop(black_box(Vec::<u8>::with_capacity(BLOCK_BYTES)));
}
