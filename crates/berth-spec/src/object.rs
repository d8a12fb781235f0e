use serde::{Deserializer, de::Visitor, forward_to_deserialize_any};

/// A deserializer that takes JSON objects and nothing else.
///
/// What serde derives for a struct also takes an array of the fields' values. A manifest written so
/// would be one for this registry and for no client.
pub(crate) struct ObjectOnly<D>(pub(crate) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ObjectOnly<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.0.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

/// Implements serde's traits with what it derived for `serde(remote = "Self")`, but so that only
/// objects are read.
macro_rules! read_as_object {
    ($($kind:ty),*) => {$(
        impl<'de> serde::Deserialize<'de> for $kind {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // The inherent function, which is the derived one.
                <$kind>::deserialize($crate::object::ObjectOnly(deserializer))
            }
        }

        impl serde::Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                <$kind>::serialize(self, serializer)
            }
        }
    )*};
}

pub(crate) use read_as_object;
