//! Files: who may bring one, and who may have it.

use super::{Access, Service, store_failed};
use crate::{
    pictures,
    store::{FileRow, NewFile, RoomRow, Store, StoreError},
    time::now,
};
use app::{
    backend::Viewer,
    error::{ApiError, Outcome},
    model::{FileAddress, FileId, FileName, MAX_FILE_BYTES, Uploaded, UserId},
};
use bytes::Bytes;
use futures::{Stream, stream};
use std::{sync::Arc, time::Duration};
use tokio::sync::OwnedSemaphorePermit;

/// What uploads may take of a node's memory, in KiB. Each takes twice its length: as it came, and cleared.
pub(super) const UPLOAD_MEMORY_KIB: usize = 64 * 1024;
/// How long an upload waits for its share of it.
const WAIT_FOR_MEMORY: Duration = Duration::from_secs(5);
/// What a file is served as that is no picture: nothing that a browser would open by itself.
const ANYTHING: &str = "application/octet-stream";

/// An upload that may begin. It holds the memory that it needs.
pub struct Upload {
    room: RoomRow,
    uploader: UserId,
    _memory: OwnedSemaphorePermit,
}

impl Service {
    /// May so many bytes be uploaded to a room? Who may write there may; asked before the bytes are read.
    ///
    /// # Errors
    /// As for posting; [`ApiError::FileTooLarge`], [`ApiError::TooManyRequests`], and [`ApiError::Unavailable`] if others
    /// have taken the memory that there is.
    pub async fn begin_upload(&self, who: &Viewer, room: &str, bytes: usize) -> Result<Upload, ApiError> {
        let Access { room, .. } = self.writable(who, room).await?;
        if bytes > MAX_FILE_BYTES {
            return Err(ApiError::FileTooLarge);
        }
        if bytes == 0 {
            return Err(ApiError::invalid("this file is empty"));
        }
        self.limits.upload(&who.user, bytes)?;
        let share = u32::try_from(2 * bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let memory = tokio::time::timeout(WAIT_FOR_MEMORY, self.uploading.clone().acquire_many_owned(share));
        match memory.await {
            Ok(Ok(memory)) => Ok(Upload { room, uploader: who.user.id, _memory: memory }),
            _ => Err(ApiError::unavailable(Outcome::NotPersisted)),
        }
    }

    /// Keeps what was uploaded; it is durable when this returns.
    ///
    /// # Errors
    /// [`ApiError::Invalid`] for a picture that nobody should get to see; what the store could not do.
    pub async fn upload(&self, upload: Upload, name: &str, content: Vec<u8>) -> Result<Uploaded, ApiError> {
        let examined = tokio::task::spawn_blocking(move || match pictures::picture(&content)? {
            Some(picture) => Ok((picture.media_type, Some((picture.width, picture.height)), picture.content)),
            None => Ok((ANYTHING, None, content)),
        });
        let examined: Result<_, pictures::Refused> = examined.await.map_err(|_| ApiError::Internal)?;
        let (media_type, size, content) = examined.map_err(|refused| ApiError::invalid(refused.to_string()))?;
        let new = NewFile {
            room: upload.room.id,
            uploader: upload.uploader,
            address: FileAddress { id: FileId::new(), size, name: FileName::nearest(name) },
            media_type: media_type.to_owned(),
            created_at: now(),
            content,
        };
        self.store.save_file(&new).await.map_err(store_failed)?;
        metrics::counter!("partyline_uploaded_bytes_total").increment(new.content.len() as u64);
        Ok(Uploaded {
            id: new.address.id,
            url: new.address.to_string(),
            name: new.address.name.as_str().to_owned(),
            media_type: new.media_type,
            bytes: new.content.len() as u64,
            width: size.map(|(width, _)| width),
            height: size.map(|(_, height)| height),
            markdown: new.address.markdown(),
        })
    }

    /// A file, if the viewer may read its room.
    ///
    /// # Errors
    /// [`ApiError::NotFound`], also where the room would have to be joined first.
    pub async fn file(&self, who: Option<&Viewer>, address: &FileAddress) -> Result<FileRow, ApiError> {
        let file = self.store.file(address.id).await.map_err(store_failed)?;
        let file = file.filter(|file| file.address == *address).ok_or(ApiError::NotFound)?;
        match self.readable(who, &file.room.to_string()).await {
            Ok(_) => Ok(file),
            Err(ApiError::Forbidden { .. }) => Err(ApiError::NotFound),
            Err(e) => Err(e),
        }
    }

    /// What is in a file, piece by piece, each read when the one before it has been taken.
    pub fn content(&self, file: &FileRow) -> impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static {
        let begin = (self.store.clone(), file.id, 0_u32, file.bytes);
        stream::try_unfold(begin, |(store, id, part, left): (Arc<dyn Store>, FileId, u32, u64)| async move {
            if left == 0 {
                return Ok(None);
            }
            // Deleted meanwhile, it breaks off.
            let content = store.file_part(id, part).await?;
            let content = content.ok_or_else(|| StoreError::Unavailable("the file is not there any more".into()))?;
            let left = left.saturating_sub(content.len() as u64);
            Ok(Some((content, (store, id, part + 1, left))))
        })
    }
}
