//! Names and lists of names that occur again and again, each kept once.

use std::{
    borrow::Borrow,
    hash::{Hash, Hasher},
};

use hashbrown::{Equivalent, HashMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What stands for a value; smaller than it.
pub(super) type Id = u32;

/// Values, each kept once. Which identifier a value has follows from the order in which they came.
#[derive(Debug, Clone)]
pub(super) struct Pool<T> {
    values: Vec<T>,
    ids: HashMap<T, Id>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { values: Vec::new(), ids: HashMap::new() }
    }
}

impl<T: Hash + Eq + Clone> Pool<T> {
    /// What stands for the value, from here on.
    pub(super) fn id<Q>(&mut self, value: &Q) -> Id
    where
        T: Borrow<Q> + for<'q> From<&'q Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(id) = self.ids.get(value) {
            return *id;
        }
        let id = Id::try_from(self.values.len()).unwrap_or(Id::MAX);
        self.values.push(T::from(value));
        self.ids.insert(T::from(value), id);
        id
    }

    /// What stands for the value, if it came before.
    pub(super) fn find<Q>(&self, value: &Q) -> Option<Id>
    where
        T: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.ids.get(value).copied()
    }

    pub(super) fn get(&self, id: Id) -> Option<&T> {
        self.values.get(id as usize)
    }
}

impl<T: Serialize> Serialize for Pool<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.values.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de> + Hash + Eq + Clone> Deserialize<'de> for Pool<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = Vec::<T>::deserialize(deserializer)?;
        let ids = values.iter().cloned().zip(0..).collect();
        Ok(Self { values, ids })
    }
}

/// Every name and every list of names that a fold has met.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Book {
    names: Pool<Box<str>>,
    lists: Pool<Box<[Id]>>,
    /// Lists by the names in them: of one that came before no name has to be looked up.
    #[serde(skip)]
    met: HashMap<Met, Id>,
}

/// A list as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Met(Box<[Box<str>]>);

/// A list that may have come before.
struct Names<'a, T>(&'a [T]);

impl<T: AsRef<str>> Hash for Names<'_, T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.len().hash(state);
        self.0.iter().for_each(|name| name.as_ref().hash(state));
    }
}

impl Hash for Met {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Names(&self.0).hash(state);
    }
}

impl<T: AsRef<str>> Equivalent<Met> for Names<'_, T> {
    fn equivalent(&self, met: &Met) -> bool {
        self.0.iter().map(AsRef::as_ref).eq(met.0.iter().map(AsRef::as_ref))
    }
}

impl Book {
    pub(super) fn name(&mut self, name: &str) -> Id {
        self.names.id(name)
    }

    pub(super) fn list<T: AsRef<str>>(&mut self, names: &[T]) -> Id {
        if let Some(list) = self.met.get(&Names(names)) {
            return *list;
        }
        let ids: Vec<Id> = names.iter().map(|name| self.names.id(name.as_ref())).collect();
        let list = self.lists.id(ids.as_slice());
        self.met.insert(Met(names.iter().map(|name| name.as_ref().into()).collect()), list);
        list
    }

    pub(super) fn find(&self, name: &str) -> Option<Id> {
        self.names.find(name)
    }

    pub(super) fn text(&self, id: Id) -> &str {
        self.names.get(id).map_or("", |name| name)
    }

    pub(super) fn members(&self, list: Id) -> &[Id] {
        self.lists.get(list).map_or(&[], |members| members)
    }

    pub(super) fn texts(&self, list: Id) -> Vec<String> {
        self.members(list).iter().map(|id| self.text(*id).to_owned()).collect()
    }
}

/// A map whose keys are no texts, written as a list of pairs.
pub(super) mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in super::super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(in super::super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
