-- wrk posts the file named by BODY, as an API server would: JSON, keep-alive, a timeout in the query (given on the command line).
local file = assert(io.open(os.getenv("BODY"), "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "application/json"
wrk.headers["User-Agent"] = "kube-apiserver-admission"
file:close()
