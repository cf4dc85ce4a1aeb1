//! `ReceivedMsg`: what a multishot `recvmsg` wrote into its buffer, taken apart.
//!
//! ```text
//!   | header, 16 bytes | room for the name | room for control data | payload |
//!     with the sizes     as asked for         as asked for
//! ```

use annulus_syscalls::io_uring::io_uring_recvmsg_out;

/// One message in a buffer that a multishot `recvmsg` selected.
///
/// ```
/// use annulus_ring::ReceivedMsg;
///
/// // No name and no control data were asked for; three bytes came.
/// let mut buffer = [0_u8; 19];
/// buffer[8..12].copy_from_slice(&3_u32.to_ne_bytes());
/// buffer[16..].copy_from_slice(b"abc");
/// let message = ReceivedMsg::parse(&buffer, 0, 0).expect("a whole header");
/// assert_eq!(message.payload(), b"abc");
/// assert!(!message.is_truncated());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedMsg<'a> {
    name: &'a [u8],
    control: &'a [u8],
    payload: &'a [u8],
    header: io_uring_recvmsg_out,
}

/// The size of the header in bytes: with the rooms for name and control data the least that a
/// buffer needs.
pub const RECVMSG_HEADER_BYTES: u32 = size_of::<io_uring_recvmsg_out>() as u32;

impl<'a> ReceivedMsg<'a> {
    /// Takes `bytes` apart, which one completion delivered. `name_room` and `control_room` are
    /// what the `struct msghdr` of the operation said: `msg_namelen` and `msg_controllen`.
    /// `None` if the bytes are too few for that.
    #[must_use]
    pub fn parse(
        bytes: &'a [u8],
        name_room: usize,
        control_room: usize,
    ) -> Option<ReceivedMsg<'a>> {
        let (header, rest) = bytes.split_at_checked(RECVMSG_HEADER_BYTES as usize)?;
        let (name, rest) = rest.split_at_checked(name_room)?;
        let (control, payload) = rest.split_at_checked(control_room)?;
        let header = io_uring_recvmsg_out {
            namelen: word(header, 0),
            controllen: word(header, 4),
            payloadlen: word(header, 8),
            flags: word(header, 12),
        };
        Some(ReceivedMsg {
            name: first(name, header.namelen),
            control: first(control, header.controllen),
            payload: first(payload, header.payloadlen),
            header,
        })
    }

    /// The peer's address as a `struct sockaddr`; cut if there was too little room.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// The control data, `struct cmsghdr` after `struct cmsghdr`.
    #[must_use]
    pub fn control(&self) -> &'a [u8] {
        self.control
    }

    /// The payload; cut if there was too little room.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// `MSG_*` flags, such as `MSG_CTRUNC`.
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.header.flags
    }

    /// The sizes before anything was cut.
    #[must_use]
    pub fn header(&self) -> &io_uring_recvmsg_out {
        &self.header
    }

    /// Whether the payload was cut: because the buffer was too small, or for the socket.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.payload.len() < self.header.payloadlen as usize || self.header.flags & MSG_TRUNC != 0
    }
}

const MSG_TRUNC: u32 = 0x20;

fn first(bytes: &[u8], len: u32) -> &[u8] {
    &bytes[..bytes.len().min(len as usize)]
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_ne_bytes(word)
}
