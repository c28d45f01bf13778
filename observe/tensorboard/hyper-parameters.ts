/** The settings of a run for TensorBoard's hparams plugin: what runs of a sweep are compared by. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { RunRecord } from '../../lib/formats/run-record.js';
import { flatSettings } from '../../lib/settings/differences.js';
import { inner, type SummaryValue } from './event-message.js';

/** The tag by which the plugin finds a session. */
export const HPARAMS_START = '_hparams_/session_start_info';
/** The one that says that it is over. */
export const HPARAMS_END = '_hparams_/session_end_info';

/** Status of plugins/hparams/api.proto: done, with success. */
const SUCCESS = 1;

/** A session: the settings of the run by their places, and when it began. */
export function sessionStart({ settings, createdAt, name }: RunRecord): SummaryValue {
  // Hashes are nobody's choice.
  const values = Object.entries({ ...flatSettings(settings), name }).filter(
    ([place, value]) => value !== undefined && !place.endsWith('.sha256'),
  );
  return {
    tag: HPARAMS_START,
    hparams: pluginData(3, (session) => {
      for (const [place, value] of values) {
        inner(session, 1, (entry) => {
          entry.tag(1, WireType.LengthDelimited).string(place);
          inner(entry, 2, (holder) => writeSetting(holder, value));
        });
      }
      session.tag(5, WireType.Bit64).double(Date.parse(createdAt) / 1000);
    }),
  };
}

/** The session is over. A failure is not told: the run may go on, and the plugin keeps what it is told first. */
export function sessionEnd(seconds: number): SummaryValue {
  return {
    tag: HPARAMS_END,
    hparams: pluginData(4, (session) => {
      session.tag(1, WireType.Varint).int32(SUCCESS);
      session.tag(2, WireType.Bit64).double(seconds);
    }),
  };
}

/** HParamsPluginData, of version 0. */
function pluginData(field: number, write: (data: BinaryWriter) => void): Uint8Array {
  const writer = new BinaryWriter();
  inner(writer, field, write);
  return writer.finish();
}

/** google.protobuf.Value */
function writeSetting(writer: BinaryWriter, value: unknown): void {
  if (typeof value === 'number') writer.tag(2, WireType.Bit64).double(value);
  else if (typeof value === 'boolean') writer.tag(4, WireType.Varint).bool(value);
  else writer.tag(3, WireType.LengthDelimited).string(`${value}`);
}
