//! The memory of a call: a new instance runs each call, so nothing lives long and little is fragmented.
//!
//! Blocks are powers of two from 16 bytes on. A freed block goes onto the list of its size and is the next
//! one of that size to be handed out; new ones are cut off the end of memory, which grows by whole pages.
//! A few hundred bytes of code where a general allocator takes seven thousand.
//!
//! ```text
//! free[0] → 16-byte block → 16-byte block      the first word of a free block points to the next
//! free[1] → 32-byte block
//! …
//! ```
#![expect(unsafe_code, reason = "an allocator hands out memory that it alone knows to be free")]

use core::{
    alloc::{GlobalAlloc, Layout},
    arch::wasm32,
    cell::UnsafeCell,
    ptr,
};

/// Exponent of the smallest block: it must hold a pointer, and keep `u128` aligned.
const SMALLEST: u32 = 4;
/// Sizes of blocks: up to 2 GiB, which is more than there ever is.
const SIZES: usize = 28;
const PAGE: usize = 1 << 16;

unsafe extern "C" {
    /// The linker's name for the end of the data; what follows is free.
    static __heap_base: u8;
}

struct Blocks {
    free: [*mut u8; SIZES],
    /// Where memory is unused, and where it ends; 0 before the first allocation.
    next: usize,
    end: usize,
}

struct Allocator(UnsafeCell<Blocks>);

// SAFETY: a contract has one thread.
unsafe impl Sync for Allocator {}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(UnsafeCell::new(Blocks { free: [ptr::null_mut(); SIZES], next: 0, end: 0 }));

/// The index of the smallest size that holds a layout.
fn size_index(layout: Layout) -> usize {
    let bytes = layout.size().max(1 << SMALLEST);
    (bytes.next_power_of_two().trailing_zeros() - SMALLEST) as usize
}

// SAFETY: a block is on a list or handed out, never both, and never overlaps another.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let index = size_index(layout);
        // SAFETY: one thread, and no call within returns here.
        let blocks = unsafe { &mut *self.0.get() };
        let Some(free) = blocks.free.get_mut(index) else { return ptr::null_mut() };
        let block = *free;
        // Blocks on the lists are aligned to the smallest size only.
        if block.is_null() || layout.align() > 1 << SMALLEST {
            return blocks.cut(1 << (index as u32 + SMALLEST), layout.align());
        }
        // SAFETY: the first word of a free block is the next free one.
        *free = unsafe { block.cast::<*mut u8>().read() };
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let index = size_index(layout);
        // SAFETY: as above; the block has room for a word and is nobody's any more.
        unsafe {
            let blocks = &mut *self.0.get();
            block.cast::<*mut u8>().write(blocks.free[index]);
            blocks.free[index] = block;
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size is that of a layout.
        let new_layout = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if size_index(new_layout) == size_index(layout) {
            return block;
        }
        // SAFETY: both blocks hold what is copied, and they are different ones.
        unsafe {
            let new_block = self.alloc(new_layout);
            if !new_block.is_null() {
                ptr::copy_nonoverlapping(block, new_block, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new_block
        }
    }
}

impl Blocks {
    /// Cuts a block off the end of memory; null if there is no more.
    fn cut(&mut self, size: usize, align: usize) -> *mut u8 {
        if self.end == 0 {
            self.next = (&raw const __heap_base) as usize;
            self.end = wasm32::memory_size::<0>() * PAGE;
        }
        let start = self.next.next_multiple_of(align.max(1 << SMALLEST));
        let missing = (start + size).saturating_sub(self.end);
        if missing > 0 {
            let pages = missing.div_ceil(PAGE);
            if wasm32::memory_grow::<0>(pages) == usize::MAX {
                return ptr::null_mut();
            }
            self.end += pages * PAGE;
        }
        self.next = start + size;
        start as *mut u8
    }
}
