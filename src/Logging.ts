import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
export const layer = Logger.layer([Logger.consoleJson])
export const fromTemporal = (level: string, message: string, meta: unknown) => level === "DEBUG" ? Effect.void : Effect.logInfo(message, meta)
void Layer
