//! Builds BTF by hand, in our byte order.

/// The strings of a blob, and its types as words.
pub(crate) struct Blob {
    /// Where the strings start: 0, or after those of the base.
    first_string: u32,
    strings: Vec<u8>,
    types: Vec<u32>,
    count: u32,
}

impl Blob {
    pub(crate) fn new() -> Blob {
        Blob {
            first_string: 0,
            strings: vec![0],
            types: Vec::new(),
            count: 0,
        }
    }

    /// One that goes on after `strings` bytes of strings and `count` types.
    pub(crate) fn after(strings: u32, count: u32) -> Blob {
        Blob {
            first_string: strings,
            strings: Vec::new(),
            types: Vec::new(),
            count,
        }
    }

    /// One that goes on where this ends.
    pub(crate) fn split(&self) -> Blob {
        Blob::after(self.first_string + self.strings.len() as u32, self.count)
    }

    /// The offset of `text`, which is added.
    pub(crate) fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let offset = self.first_string + self.strings.len() as u32;
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        offset
    }

    /// Adds a type; `info` is `kind_flag << 31 | kind << 24 | vlen`. Gives its id.
    pub(crate) fn add(&mut self, name: &str, info: u32, word: u32, payload: &[u32]) -> u32 {
        let name_off = self.string(name);
        self.types.extend([name_off, info, word]);
        self.types.extend(payload);
        self.count += 1;
        self.count
    }

    /// The bytes with the layout of kinds, of which each entry is about the next kind from 0.
    pub(crate) fn bytes_with_layout(&self, layout: &[[u8; 4]]) -> Vec<u8> {
        let mut bytes = self.bytes(32);
        let offset = bytes.len() as u32 - 32;
        bytes[24..28].copy_from_slice(&offset.to_ne_bytes());
        bytes[28..32].copy_from_slice(&(layout.len() as u32 * 4).to_ne_bytes());
        bytes.extend(layout.iter().flatten());
        bytes
    }

    /// The bytes, with a header of 24 or 32 bytes.
    pub(crate) fn bytes(&self, hdr_len: u32) -> Vec<u8> {
        let type_len = self.types.len() as u32 * 4;
        let str_len = self.strings.len() as u32;
        let mut words = vec![hdr_len, 0, type_len, type_len, str_len];
        if hdr_len == 32 {
            words.extend([0, 4]);
        }
        words.extend(&self.types);
        let mut bytes = preamble();
        bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        bytes.extend(&self.strings);
        bytes
    }
}

/// Magic, version and flags.
pub(crate) fn preamble() -> Vec<u8> {
    let mut bytes = 0xeb9f_u16.to_ne_bytes().to_vec();
    bytes.extend([1, 0]);
    bytes
}

const FLAG: u32 = 1 << 31;

/// One type of every kind; the ids are in the comments.
pub(crate) fn every_kind() -> Blob {
    let mut blob = Blob::new();
    let [a, b, low, high, x] = ["a", "b", "LOW", "HIGH", "x"].map(|name| blob.string(name));
    blob.add("int", 1 << 24, 4, &[1 << 24 | 32]); // 1, signed
    blob.add("", 2 << 24, 1, &[]); // 2: int *
    blob.add("", 3 << 24, 0, &[1, 1, 6]); // 3: int [6]
    blob.add(
        "pair",
        FLAG | 4 << 24 | 2,
        32,
        &[a, 3, 0, b, 1, 3 << 24 | 195],
    ); // 4
    blob.add("either", 5 << 24 | 2, 8, &[a, 1, 0, b, 2, 0]); // 5
    blob.add("small", FLAG | 6 << 24 | 2, 4, &[low, u32::MAX, high, 7]); // 6, signed
    blob.add("later", FLAG | 7 << 24, 0, &[]); // 7: union
    blob.add("name_of_int", 8 << 24, 9, &[]); // 8
    blob.add("", 9 << 24, 10, &[]); // 9: volatile
    blob.add("", 10 << 24, 18, &[]); // 10: const
    blob.add("", 11 << 24, 2, &[]); // 11: restrict
    blob.add("function", 12 << 24 | 1, 13, &[]); // 12, global
    blob.add("", 13 << 24 | 2, 1, &[x, 8, 0, 0]); // 13: int (x, ...)
    blob.add("variable", 14 << 24, 3, &[1]); // 14
    blob.add(".data", 15 << 24 | 1, 24, &[14, 0, 24]); // 15
    blob.add("double", 16 << 24, 8, &[]); // 16
    blob.add("tag", 17 << 24, 4, &[1]); // 17: of b
    blob.add("user", 18 << 24, 1, &[]); // 18
    blob.add("large", 19 << 24 | 2, 8, &[low, 1, 0, high, 2, 0x8000_0000]); // 19, unsigned
    blob.add("whole", 17 << 24, 12, &[u32::MAX]); // 20
    blob
}
