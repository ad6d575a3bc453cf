module portcullis.dev/e2e/traffic

go 1.25
