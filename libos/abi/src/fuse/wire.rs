//! How a structure lies in bytes: little endian, without padding of the compiler's.

/// Something with a fixed place in a message.
pub trait Wire: Sized {
    /// Its length in bytes.
    const LEN: usize;

    /// Reads it from the beginning of `bytes`; none if they are too few.
    fn get(bytes: &[u8]) -> Option<Self>;

    /// Writes it to the beginning of `bytes`; false, and nothing sensible written, if they are too few.
    fn put(&self, bytes: &mut [u8]) -> bool;

    /// Reads it, and what follows it.
    fn take(bytes: &[u8]) -> Option<(Self, &[u8])> {
        Some((Self::get(bytes)?, bytes.get(Self::LEN..)?))
    }
}

macro_rules! numbers {
    ($($type:ty)*) => {$(
        impl Wire for $type {
            const LEN: usize = size_of::<$type>();

            fn get(bytes: &[u8]) -> Option<Self> {
                Some(<$type>::from_le_bytes(*bytes.first_chunk()?))
            }

            fn put(&self, bytes: &mut [u8]) -> bool {
                match bytes.first_chunk_mut() {
                    Some(chunk) => *chunk = self.to_le_bytes(),
                    None => return false,
                }
                true
            }
        }
    )*};
}

numbers!(u16 u32 u64 i32 i64);

impl<T: Wire + Copy + Default, const N: usize> Wire for [T; N] {
    const LEN: usize = N * T::LEN;

    fn get(bytes: &[u8]) -> Option<Self> {
        let mut all = [T::default(); N];
        for (index, item) in all.iter_mut().enumerate() {
            *item = T::get(bytes.get(index * T::LEN..)?)?;
        }
        Some(all)
    }

    fn put(&self, bytes: &mut [u8]) -> bool {
        let mut items = self.iter().enumerate();
        items.all(|(index, item)| {
            let place = bytes.get_mut(index * T::LEN..);
            place.is_some_and(|place| item.put(place))
        })
    }
}

/// Structures whose fields follow each other in bytes as they do here.
macro_rules! structures {
    ($($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$what])* pub $field: $type,)*
        }

        impl $crate::fuse::wire::Wire for $name {
            const LEN: usize = 0 $(+ <$type as $crate::fuse::wire::Wire>::LEN)*;

            #[allow(unused_assignments, reason = "behind the last field nothing follows")]
            fn get(bytes: &[u8]) -> Option<Self> {
                let mut rest = bytes;
                $(let $field = <$type as $crate::fuse::wire::Wire>::get(rest)?;
                rest = rest.get(<$type as $crate::fuse::wire::Wire>::LEN..)?;)*
                Some(Self { $($field,)* })
            }

            #[allow(unused_assignments, reason = "behind the last field nothing follows")]
            fn put(&self, bytes: &mut [u8]) -> bool {
                if bytes.len() < Self::LEN {
                    return false;
                }
                let mut at = 0;
                $(self.$field.put(&mut bytes[at..]);
                at += <$type as $crate::fuse::wire::Wire>::LEN;)*
                true
            }
        }

        impl $name {
            /// Its bytes.
            pub fn to_bytes(&self) -> [u8; <Self as $crate::fuse::wire::Wire>::LEN] {
                let mut bytes = [0; <Self as $crate::fuse::wire::Wire>::LEN];
                $crate::fuse::wire::Wire::put(self, &mut bytes);
                bytes
            }
        }
    )*};
}

pub(crate) use structures;
