{{- define "olake.name" -}}
{{- .Values.fullnameOverride | default "olake-workers" -}}
{{- end }}

{{- define "olake.selectorLabels" -}}
app.kubernetes.io/name: olake-workers
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "olake.labels" -}}
{{ include "olake.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "olake.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (printf "%s-sa" (include "olake.name" .)) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end }}

{{- define "olake.jobServiceAccount" -}}
{{- if .Values.jobs.serviceAccount.create -}}
{{- .Values.jobs.serviceAccount.name | default (printf "%s-job" (include "olake.name" .)) -}}
{{- else -}}
{{- .Values.jobs.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "olake.configMap" -}}
{{ include "olake.name" . }}-config
{{- end }}

{{- define "olake.secret" -}}
{{ include "olake.name" . }}-secret
{{- end }}

{{- define "olake.claim" -}}
{{- .Values.storage.existingClaim | default .Values.storage.claimName -}}
{{- end }}

{{- define "olake.image" -}}
{{- with .Values.image -}}
{{- if .registry }}{{ trimSuffix "/" .registry }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{/* Host and port of temporal.address; an IPv6 address stands in brackets. */}}
{{- define "olake.temporalPort" -}}
{{- regexFind "[0-9]+$" .Values.temporal.address -}}
{{- end }}

{{/* The profiles of jobs: "0" is made of the three values for all jobs where nobody has written one. */}}
{{- define "olake.profiles" -}}
{{- $profiles := dict -}}
{{- range $id, $profile := .Values.jobs.profiles }}{{ $_ := set $profiles (toString $id) $profile }}{{ end -}}
{{- $default := dict -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" -}}
{{- with get $.Values.jobs $key }}{{ $_ := set $default $key . }}{{ end -}}
{{- end -}}
{{- if and $default (not (hasKey $profiles "0")) }}{{ $_ := set $profiles "0" $default }}{{ end -}}
{{- if $profiles }}{{ toJson $profiles }}{{ end -}}
{{- end }}

{{/* What the worker reads from its ConfigMap at its start only: a change of it rolls the Pods. */}}
{{- define "olake.environment" -}}
{{- $v := .Values -}}
{{- $names := list -}}
{{- range $v.jobs.pullSecrets }}{{ $names = append $names .name }}{{ end -}}
{{- $requests := $v.jobs.resources.requests | default dict -}}
{{- $limits := $v.jobs.resources.limits | default dict -}}
{{- $env := dict
  "TEMPORAL_ADDRESS" $v.temporal.address
  "TEMPORAL_NAMESPACE" $v.temporal.namespace
  "TEMPORAL_TASK_QUEUE" $v.temporal.taskQueue
  "TEMPORAL_EXTERNAL" $v.temporal.external
  "TEMPORAL_RETENTION_PERIOD" $v.temporal.retentionPeriod
  "TEMPORAL_TLS_SERVER_NAME" $v.temporal.tls.serverName
  "RUN_MODE" $v.database.runMode
  "DB_MAX_OPEN_CONNS" $v.database.maxConnections
  "DB_CONN_MAX_LIFETIME" $v.database.connectionMaxLifetime
  "WORKER_NAMESPACE" .Release.Namespace
  "OLAKE_STORAGE_PVC_NAME" (include "olake.claim" .)
  "JOB_SERVICE_ACCOUNT_NAME" (include "olake.jobServiceAccount" .)
  "OLAKE_KEEP_UNMAPPED_AWAY" $v.jobs.keepUnmappedAway
  "CONTAINER_REGISTRY_BASE" $v.jobs.registry
  "IMAGE_PULL_POLICY" $v.jobs.imagePullPolicy
  "IMAGE_PULL_SECRETS" (join "," $names)
  "JOB_CPU_REQUEST" ($requests.cpu | default "")
  "JOB_MEMORY_REQUEST" ($requests.memory | default "")
  "JOB_CPU_LIMIT" ($limits.cpu | default "")
  "JOB_MEMORY_LIMIT" ($limits.memory | default "")
  "JOB_EXIT_MARKER" $v.jobs.exitMarker
  "JOB_STORAGE_PROBE" $v.jobs.storageProbe
  "JOB_TERMINATION_GRACE_PERIOD" $v.jobs.terminationGracePeriod
  "OLAKE_KMS_ENDPOINT" $v.encryption.kmsEndpoint
  "SHARED_STORAGE_PATH" "/data/olake-jobs"
  "LOG_RETENTION_PERIOD" (gt (int $v.worker.logRetentionDays) 0 | ternary (int $v.worker.logRetentionDays | toString) "")
  "TIMEOUT_ACTIVITY_DISCOVER" $v.worker.timeouts.discover
  "TIMEOUT_ACTIVITY_TEST" $v.worker.timeouts.test
  "TIMEOUT_ACTIVITY_SYNC" $v.worker.timeouts.sync
  "OLAKE_STATUS_PAGE" $v.worker.statusPage
  "MAX_CONCURRENT_ACTIVITIES" $v.worker.maxConcurrentActivities
  "MAX_CONCURRENT_WORKFLOWS" $v.worker.maxConcurrentWorkflows
  "MAX_CONCURRENT_SYNCS" $v.worker.maxConcurrentSyncs
  "OLAKE_CALLBACK_URL" $v.worker.callbackUrl
  "TELEMETRY_DISABLED" $v.worker.telemetryDisabled
  "HEALTH_PORT" $v.worker.healthPort
  "LOG_LEVEL" $v.worker.logLevel
  "LOG_FORMAT" $v.worker.logFormat -}}
{{- with $v.jobs.securityContext }}{{ $_ := set $env "POD_SECURITY_CONTEXT" (toJson .) }}{{ end -}}
{{- with $v.jobs.podAnnotations }}{{ $_ := set $env "OLAKE_JOB_POD_ANNOTATIONS" (toJson .) }}{{ end -}}
{{- if not (kindIs "invalid" $v.temporal.tls.enabled) }}{{ $_ := set $env "TEMPORAL_ENABLE_TLS" $v.temporal.tls.enabled }}{{ end -}}
{{- range $key := list "host" "name" "user" "port" "sslMode" -}}
{{- $variable := get (dict "host" "DB_HOST" "name" "DB_NAME" "user" "DB_USER" "port" "DB_PORT" "sslMode" "DB_SSLMODE") $key -}}
{{- if not (and $v.database.existingSecret (get $v.database.secretKeys $key)) }}{{ $_ := set $env $variable (get $v.database $key) }}{{ end -}}
{{- end -}}
{{- if $v.database.caSecret }}{{ $_ := set $env "DB_SSLROOTCERT" (printf "/etc/olake/database/%s" $v.database.caSecretKey) }}{{ end -}}
{{- with $v.temporal.tls }}{{ if .existingSecret -}}
{{- if .caKey }}{{ $_ := set $env "TEMPORAL_TLS_SERVER_CA_CERT_PATH" (printf "/etc/olake/temporal/%s" .caKey) }}{{ end -}}
{{- if .certKey }}{{ $_ := set $env "TEMPORAL_TLS_CLIENT_CERT_PATH" (printf "/etc/olake/temporal/%s" .certKey) }}{{ end -}}
{{- if .keyKey }}{{ $_ := set $env "TEMPORAL_TLS_CLIENT_KEY_PATH" (printf "/etc/olake/temporal/%s" .keyKey) }}{{ end -}}
{{- end }}{{ end -}}
{{- range $name, $value := $env }}
{{- $text := kindIs "float64" $value | ternary ($value | int64 | toString) ($value | toString) }}
{{- if ne $text "" }}
{{ $name }}: {{ $text | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* What a schema cannot say, or not in words: values that need each other, and texts of a certain form. */}}
{{- define "olake.check" -}}
{{- $v := .Values -}}
{{- $problems := list -}}
{{- if not $v.temporal.address }}{{ $problems = append $problems "temporal.address: set it to Temporal's frontend, host:port" }}{{ end -}}
{{- range $key := list "host" "user" "password" -}}
{{- if not (or (get $v.database $key) (and $v.database.existingSecret (get $v.database.secretKeys $key))) -}}
{{- $problems = append $problems (printf "database.%s: set it, or database.existingSecret with database.secretKeys.%s" $key $key) -}}
{{- end -}}
{{- end -}}
{{- $address := list "^([^\\s:/]+|\\[[0-9a-fA-F:]+\\]):[0-9]{1,5}$" "host:port" -}}
{{- $duration := list "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$" "a duration such as 2h45m" -}}
{{- $quantity := list "^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$" "a Kubernetes quantity such as 250m or 512Mi" -}}
{{- $url := list "^https?://\\S+$" "an http or https URL" -}}
{{- $forms := list
  (list "temporal.address" $v.temporal.address $address)
  (list "temporal.retentionPeriod" $v.temporal.retentionPeriod $duration)
  (list "database.connectionMaxLifetime" $v.database.connectionMaxLifetime $duration)
  (list "worker.timeouts.discover" $v.worker.timeouts.discover $duration)
  (list "worker.timeouts.test" $v.worker.timeouts.test $duration)
  (list "worker.timeouts.sync" $v.worker.timeouts.sync $duration)
  (list "worker.callbackUrl" $v.worker.callbackUrl $url)
  (list "jobs.terminationGracePeriod" $v.jobs.terminationGracePeriod $duration)
  (list "encryption.kmsEndpoint" $v.encryption.kmsEndpoint $url)
  (list "storage.size" $v.storage.size $quantity) -}}
{{- range $kind := list "requests" "limits" -}}
{{- range $resource, $amount := (get $v.jobs.resources $kind | default dict) }}{{ $forms = append $forms (list (printf "jobs.resources.%s.%s" $kind $resource) $amount $quantity) }}{{ end -}}
{{- end -}}
{{- range $forms -}}
{{- $text := toString (index . 1) -}}
{{- $form := index . 2 -}}
{{- if and (ne $text "") (not (regexMatch (first $form) $text)) -}}
{{- $problems = append $problems (printf "%s: expected %s, got %q" (first .) (last $form) $text) -}}
{{- end -}}
{{- end -}}
{{- if and $v.temporal.apiKey.value $v.temporal.apiKey.existingSecret }}{{ $problems = append $problems "temporal.apiKey: set value or existingSecret, not both" }}{{ end -}}
{{- if and $v.encryption.key $v.encryption.existingSecret }}{{ $problems = append $problems "encryption: set key or existingSecret, not both" }}{{ end -}}
{{- if ne (empty $v.temporal.tls.certKey) (empty $v.temporal.tls.keyKey) }}{{ $problems = append $problems "temporal.tls: certKey and keyKey belong together" }}{{ end -}}
{{- if and (or $v.temporal.tls.certKey $v.temporal.tls.caKey) (not $v.temporal.tls.existingSecret) }}{{ $problems = append $problems "temporal.tls.existingSecret: set it to the Secret that holds those keys" }}{{ end -}}
{{- if and $v.worker.callbackUrl (not $v.temporal.external) (or (ne $v.temporal.namespace "default") (ne $v.temporal.taskQueue "OLAKE_DOCKER_TASK_QUEUE")) -}}
{{- $problems = append $problems "temporal.external: with worker.callbackUrl, temporal.namespace and temporal.taskQueue count only where this is true" -}}
{{- end -}}
{{- if and $v.storage.existingClaim $v.storage.nfs.server }}{{ $problems = append $problems "storage: set existingClaim or nfs.server, not both" }}{{ end -}}
{{- if $problems }}{{ fail (printf "the values are not valid:\n- %s" (join "\n- " $problems)) }}{{ end -}}
{{- end }}
