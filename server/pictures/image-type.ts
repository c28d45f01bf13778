/** Which kind of image some bytes are, by their first bytes and never by a file name. */

/** The kinds of image that the server reads. */
export type ImageType = 'PNG' | 'JPEG' | 'WebP' | 'GIF' | 'AVIF';

/** What the first bytes say: a kind that is read, one that is known but not read, or nothing known. */
type SniffedType =
  | { readonly readable: true; readonly type: ImageType }
  | { readonly readable: false; readonly found: string };

/** Brands in the `ftyp` box of an ISO base media file (ISO/IEC 23008-12). */
const AVIF_BRANDS = ['avif', 'avis'];
const HEIC_BRANDS = ['heic', 'heix', 'hevc', 'heim', 'heis', 'mif1', 'msf1'];

/** Names the kind of `bytes`. */
export function sniffImageType(bytes: Uint8Array): SniffedType {
  const text = latin1(bytes, 0, 16);
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return { readable: true, type: 'PNG' };
  if (text.startsWith('\xff\xd8\xff')) return { readable: true, type: 'JPEG' };
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return { readable: true, type: 'WebP' };
  if (text.startsWith('GIF87a') || text.startsWith('GIF89a')) return { readable: true, type: 'GIF' };
  if (text.slice(4, 8) === 'ftyp') return sniffMediaBrand(text.slice(8, 12));
  return { readable: false, found: nameUnreadable(bytes, text) };
}

function sniffMediaBrand(brand: string): SniffedType {
  if (AVIF_BRANDS.includes(brand)) return { readable: true, type: 'AVIF' };
  return { readable: false, found: HEIC_BRANDS.includes(brand) ? 'a HEIC photo' : 'a video or audio file' };
}

function nameUnreadable(bytes: Uint8Array, text: string): string {
  if (text.startsWith('II*\0') || text.startsWith('MM\0*')) return 'a TIFF image';
  if (text.startsWith('BM')) return 'a BMP image';
  if (text.startsWith('%PDF')) return 'a PDF document';
  if (text.startsWith('PK')) return 'a zip archive';
  if (/<svg[\s>]/i.test(latin1(bytes, 0, 1024))) return 'an SVG drawing';
  return isText(bytes) ? 'a text file' : 'a file of another kind';
}

function isText(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 512).every((byte) => byte >= 0x20 || [0x09, 0x0a, 0x0d].includes(byte));
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.subarray(from, to)).toString('latin1');
}
