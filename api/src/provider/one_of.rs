//! "Exactly one of these fields": a struct of options for JSON, and a borrowed enum to match on.
//!
//! Not an enum for JSON, because an enum fails on a field it does not know, and one store with the backend of another
//! build would then make every list of stores fail.

/// Writes the struct, the enum, and what both need, from one line per field.
macro_rules! one_of {
    (
        $(#[$struct_doc:meta])*
        pub struct $Struct:ident / enum $Ref:ident {
            $( $(#[$doc:meta])* $field:ident: $Variant:ident($Type:ty), )+
        }
    ) => {
        $(#[$struct_doc])*
        #[derive(Clone, Debug, Default, PartialEq, schemars::JsonSchema, serde::Serialize)]
        #[schemars(extend(
            "minProperties" = 1,
            "maxProperties" = 1,
            "x-kubernetes-preserve-unknown-fields" = true
        ))]
        pub struct $Struct {
            $(
                $(#[$doc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<$Type>,
            )+
            /// Fields of other builds, untouched.
            #[serde(flatten)]
            #[schemars(skip)]
            pub other: BTreeMap<String, Value>,
        }

        #[doc = concat!("The field of [`", stringify!($Struct), "`] that is set.")]
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum $Ref<'a> {
            $( $(#[$doc])* $Variant(&'a $Type), )+
        }

        impl $Struct {
            /// Names of the fields that this build knows.
            pub const FIELDS: &'static [&'static str] = &[$( stringify!($field) ),+];

            /// The known fields that are set.
            fn known(&self) -> Vec<$Ref<'_>> {
                [$( self.$field.as_ref().map($Ref::$Variant) ),+].into_iter().flatten().collect()
            }
        }

        impl $Ref<'_> {
            /// Name of the field.
            pub fn field(&self) -> &'static str {
                match self {
                    $( Self::$Variant(_) => stringify!($field), )+
                }
            }

            /// The chosen block, to be checked.
            pub fn as_check(&self) -> &dyn Check {
                match self {
                    $( Self::$Variant(chosen) => *chosen, )+
                }
            }
        }

        // By hand, because serde's flatten loses the path of a field that does not fit.
        impl<'de> serde::Deserialize<'de> for $Struct {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields;

                impl<'de> serde::de::Visitor<'de> for Fields {
                    type Value = $Struct;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        formatter.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$Struct, A::Error> {
                        let mut fields = $Struct::default();
                        while let Some(name) = map.next_key::<String>()? {
                            match name.as_str() {
                                $( stringify!($field) => fields.$field = map.next_value()?, )+
                                _ => {
                                    let value: Value = map.next_value()?;
                                    // A null is the same as no field.
                                    if !value.is_null() {
                                        fields.other.insert(name, value);
                                    }
                                }
                            }
                        }
                        Ok(fields)
                    }
                }

                deserializer.deserialize_map(Fields)
            }
        }
    };
}

pub(super) use one_of;
