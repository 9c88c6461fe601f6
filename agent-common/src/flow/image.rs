//! Buckets and lines as user space reads them out of the maps.

use super::{FlowBucket, FlowLines};

macro_rules! image {
    ($image:ident, $of:ident, $align:literal, $what:ident) => {
        #[doc = concat!("A [`", stringify!($of), "`] as user space reads it: a copy that nobody changes any more.")]
        #[repr(C, align($align))]
        #[derive(Clone, Copy, Debug)]
        pub struct $image([u64; size_of::<$of>() / 8]);

        impl Default for $image {
            fn default() -> Self {
                Self([0; size_of::<$of>() / 8])
            }
        }

        impl $image {
            /// What it is a copy of.
            #[must_use]
            pub fn $what(&self) -> &$of {
                const {
                    assert!(size_of::<Self>() == size_of::<$of>());
                    assert!(align_of::<Self>() == align_of::<$of>());
                }
                // SAFETY: of the same size and alignment; it consists of shared words, any bits are
                // such, and what can be changed through them is this copy, which nobody reads
                // otherwise meanwhile.
                unsafe { &*core::ptr::from_ref(self).cast::<$of>() }
            }
        }

        // SAFETY: `repr(C)`, words only: no padding, every bit pattern is valid.
        unsafe impl aya::Pod for $image {}
    };
}

image!(FlowBucketImage, FlowBucket, 32, bucket);
image!(FlowLinesImage, FlowLines, 64, lines);
