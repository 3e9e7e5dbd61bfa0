/**
 * The worker's note in the directory of a writer's run: which run the directory belongs to, and what its connector began
 * with. Only under a note of one's own is the directory's state one's own. Pure.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { sha256 } from "./Workdir.ts"

const Note = Schema.Struct({
  jobId: Schema.Int,
  workflowId: Schema.String,
  /** Version of the job's row that the connector's state comes from. */
  rowVersion: Schema.optionalKey(Schema.String),
  // Workers before 0.2 did not write these.
  runId: Schema.optionalKey(Schema.String),
  /** The id of the run's Temporal namespace; absent where Temporal does not tell it. */
  temporalNamespaceId: Schema.optionalKey(Schema.String),
  /** Key of the run, as the exit marker and the Pod have it. */
  key: Schema.optionalKey(Schema.String),
  /** Of the activity that prepared the directory last. */
  attempt: Schema.optionalKey(Schema.Int),
  /** SHA-256 of the state that the worker puts there; absent where it leaves the run's own checkpoint. */
  stateHash: Schema.optionalKey(Schema.String),
  /** SHA-256 of the state that was there before: another run's, should the worker never come to replace it. */
  foundHash: Schema.optionalKey(Schema.String)
})
export type RunNote = typeof Note.Type

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Note))

/** Undefined for a text that is no note. */
export const parseRunNote = (text: string): RunNote | undefined => Option.getOrUndefined(decode(text))

export const encodeRunNote = (note: RunNote): string => JSON.stringify(note)

export const hashOf = (state: string): string => sha256(state)
