//! Pictures that people send: recognised by their content, bounded before they are unpacked, cut, and made anew so that
//! nothing but the picture is left.

use crate::http::{Error, Problem, Refusal, Result, Upload};
use anyhow::Context;
use axum::body::Bytes;
use axum::http::StatusCode;
use image::codecs::jpeg::JpegEncoder;
use image::error::{LimitError, LimitErrorKind};
use image::imageops::FilterType;
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError, ImageFormat,
    ImageReader, ImageResult, Limits, Rgb, RgbImage,
};
use std::io::Cursor;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use utoipa::IntoResponses;

/// Why a picture is not taken, for the API document.
#[derive(IntoResponses)]
pub enum PictureRefused {
    /// `payload_too_large`: more than 5 MiB
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// `unsupported_media_type`: no multipart/form-data, or the file's content is no JPEG, PNG or WebP
    #[response(status = 415, content_type = "application/problem+json")]
    NoPicture(Problem),
    /// `file` is missing, damaged, or has more than 40 million pixels
    #[response(status = 422, content_type = "application/problem+json")]
    Damaged(Problem),
}

/// What is made of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The middle of it, square.
    Square,
    /// All of it.
    Whole,
}

impl Shape {
    /// Sizes with the longer side that they have at most.
    fn sizes(self) -> [(&'static str, u32); 2] {
        match self {
            Self::Square => [("large", 512), ("small", 96)],
            Self::Whole => [("large", 1280), ("small", 320)],
        }
    }

    fn cut(self, image: &DynamicImage, side: u32) -> DynamicImage {
        match self {
            Self::Square => image.resize_to_fill(side, side, FilterType::Lanczos3),
            Self::Whole if image.width().max(image.height()) <= side => image.clone(),
            Self::Whole => image.resize(side, side, FilterType::Lanczos3),
        }
    }
}

fn format(bytes: &[u8]) -> Option<ImageFormat> {
    let format = image::guess_format(bytes).ok()?;
    let is_taken = matches!(format, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP);
    is_taken.then_some(format)
}

/// A picture that was sent, made anew in two sizes, with their names.
pub async fn of_upload(upload: Upload, shape: Shape) -> Result<Vec<(&'static str, Bytes)>> {
    let bytes = upload.0;
    if format(&bytes).is_none() {
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            .detail("the file is no JPEG, PNG or WebP")
            .into());
    }
    // Unpacked, a picture takes a hundred times the memory.
    let _slot = AT_ONCE.acquire().await.context("nobody closes it")?;
    let made =
        spawn_blocking(move || make(&bytes, shape)).await.context("a picture was not made")?;
    made.map_err(|error| {
        tracing::debug!(%error, "a picture cannot be used");
        let message = "is damaged, or has too many pixels".to_owned();
        Error::Field { field: "file", code: "invalid", message }
    })
}

static AT_ONCE: Semaphore = Semaphore::const_new(2);

fn make(bytes: &[u8], shape: Shape) -> ImageResult<Vec<(&'static str, Bytes)>> {
    let image = read(bytes)?;
    let sizes = shape.sizes().into_iter();
    sizes.map(|(name, side)| Ok((name, jpeg(&on_white(&shape.cut(&image, side)))?))).collect()
}

fn read(bytes: &[u8]) -> ImageResult<DynamicImage> {
    let format = format(bytes).unwrap_or(ImageFormat::Jpeg);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        let limit = LimitError::from_kind(LimitErrorKind::DimensionError);
        return Err(ImageError::Limits(limit));
    }
    // Cameras write down how they were held; that goes away with the rest.
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

const MAX_SIDE: u32 = 12_000;
const MAX_PIXELS: u64 = 40_000_000;
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// JPEG knows no transparency.
fn on_white(image: &DynamicImage) -> RgbImage {
    let image = image.to_rgba8();
    let blend = |part: u8, alpha: u8| {
        let (part, alpha) = (u16::from(part), u16::from(alpha));
        u8::try_from((part * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX)
    };
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [red, green, blue, alpha] = image.get_pixel(x, y).0;
        Rgb([blend(red, alpha), blend(green, alpha), blend(blue, alpha)])
    })
}

fn jpeg(image: &RgbImage) -> ImageResult<Bytes> {
    let mut bytes = Vec::new();
    let (width, height) = image.dimensions();
    JpegEncoder::new_with_quality(&mut bytes, 85).write_image(
        image,
        width,
        height,
        ExtendedColorType::Rgb8,
    )?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(image: &DynamicImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_picture_is_cut_square_in_two_sizes() {
        let image = DynamicImage::new_rgba8(300, 100);

        let made = make(&png(&image), Shape::Square).unwrap();

        let sizes = made.iter().map(|(name, bytes)| {
            let made = image::load_from_memory_with_format(bytes, ImageFormat::Jpeg).unwrap();
            // What was transparent is white.
            assert_eq!(made.to_rgb8().get_pixel(0, 0).0, [255, 255, 255]);
            (*name, made.width(), made.height())
        });
        assert_eq!(sizes.collect::<Vec<_>>(), [("large", 512, 512), ("small", 96, 96)]);
    }

    #[test]
    fn a_whole_picture_keeps_its_sides_and_is_not_blown_up() {
        let image = DynamicImage::new_rgb8(300, 640);

        let made = make(&png(&image), Shape::Whole).unwrap();

        let sizes = made.iter().map(|(name, bytes)| {
            let made = image::load_from_memory_with_format(bytes, ImageFormat::Jpeg).unwrap();
            (*name, made.width(), made.height())
        });
        assert_eq!(sizes.collect::<Vec<_>>(), [("large", 300, 640), ("small", 150, 320)]);
    }

    #[test]
    fn what_is_no_picture_or_damaged_is_refused() {
        let whole = png(&DynamicImage::new_rgb8(50, 50));

        assert!(format(b"GIF89a").is_none());
        assert!(format(b"<svg/>").is_none());
        assert!(format(&whole).is_some());
        assert!(make(&whole[..40], Shape::Square).is_err());
    }

    #[test]
    fn a_small_file_that_unpacks_to_too_much_is_refused() {
        let image = DynamicImage::new_luma8(12_001, 1);

        assert!(make(&png(&image), Shape::Square).is_err());
    }
}
