/** Reads TensorBoard's event files as a program of its own would: by a sum bit by bit, and the messages as TensorFlow declares them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import { projectRoot } from './sources.js';

const definitions = loadSync('event.proto', {
  includeDirs: [join(projectRoot, 'observe', 'tensorboard', 'fixtures')],
  keepCase: true,
  longs: Number,
});

const decoded = <T>(name: string, bytes: Uint8Array): T =>
  (definitions[`tensorboard.${name}`] as MessageTypeDefinition<object, object>).deserialize(
    Buffer.from(bytes),
  ) as T;

/** A value under a tag, as it stands in the file. */
export interface ReadValue {
  readonly tag: string;
  readonly simple_value?: number;
  readonly image?: {
    readonly width: number;
    readonly height: number;
    readonly encoded_image_string: Uint8Array;
  };
  readonly histo?: {
    readonly min: number;
    readonly max: number;
    readonly num: number;
    readonly sum: number;
    readonly sum_squares: number;
    readonly bucket_limit: readonly number[];
    readonly bucket: readonly number[];
  };
  readonly tensor?: { readonly dtype: number; readonly float_val: readonly number[] };
  readonly metadata?: {
    readonly plugin_data: { readonly plugin_name: string; readonly content: Uint8Array };
  };
}

/** An event as it stands in the file. */
export interface ReadEvent {
  readonly wall_time: number;
  readonly step?: number;
  readonly file_version?: string;
  readonly summary?: { readonly value: readonly ReadValue[] };
}

/** CRC-32C as RFC 3720 has it, one bit after the other. */
export function plainCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x82f63b78n : crc >> 1n;
  }
  return Number(crc ^ 0xffffffffn);
}

/** TensorFlow's `Unmask`. */
export function unmasked(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

/** All events of a file; fails where a sum is wrong or something follows the last record. */
export function readEventFile(path: string): readonly ReadEvent[] {
  const bytes = readFileSync(path);
  const events: ReadEvent[] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = Number(bytes.readBigUInt64LE(at));
    assert.equal(
      unmasked(bytes.readUInt32LE(at + 8)),
      plainCrc32c(bytes.subarray(at, at + 8)),
      `${path} ${at}`,
    );
    const payload = bytes.subarray(at + 12, at + 12 + length);
    assert.equal(unmasked(bytes.readUInt32LE(at + 12 + length)), plainCrc32c(payload), `${path} ${at}`);
    events.push(decoded('Event', payload));
    at += 16 + length;
  }
  assert.equal(at, bytes.length);
  assert.equal(events[0]?.file_version, 'brain.Event:2');
  return events.slice(1);
}

/** The numbers of a tag by step; fails where a step has it twice, or comes before an earlier one. */
export function scalarsOf(events: readonly ReadEvent[], tag: string): readonly (readonly [number, number])[] {
  const found = events.flatMap(({ step = 0, summary }) =>
    (summary?.value ?? []).flatMap((value): (readonly [number, number])[] =>
      value.tag === tag && value.simple_value !== undefined ? [[step, value.simple_value]] : [],
    ),
  );
  for (const [at, [step]] of found.entries())
    assert.ok(at === 0 || step > (found[at - 1]?.[0] ?? 0), `${tag} ${step}`);
  return found;
}

/** The hyper-parameters of a session, and how it ended. */
export function sessionOfHparams(events: readonly ReadEvent[]): {
  readonly hparams: Readonly<Record<string, string | number | boolean>>;
  readonly status?: number;
} {
  const data = events.flatMap(({ summary }) =>
    (summary?.value ?? []).flatMap(({ metadata, tensor }) => {
      if (metadata?.plugin_data.plugin_name !== 'hparams') return [];
      assert.deepEqual(tensor?.float_val, [0]);
      return [
        decoded<{
          readonly session_start_info?: { readonly hparams: Readonly<Record<string, object>> };
          readonly session_end_info?: { readonly status: number };
        }>('HParamsPluginData', metadata.plugin_data.content),
      ];
    }),
  );
  const starts = data.flatMap(({ session_start_info: start }) => (start === undefined ? [] : [start]));
  const ends = data.flatMap(({ session_end_info: end }) => (end === undefined ? [] : [end.status]));
  assert.ok(starts.length === 1 && ends.length <= 1, 'one session');
  const hparams = Object.entries(starts[0]?.hparams ?? {}).map(([name, value]) => [
    name,
    Object.values(value)[0],
  ]);
  return { hparams: Object.fromEntries(hparams), ...(ends[0] === undefined ? {} : { status: ends[0] }) };
}
