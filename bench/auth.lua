-- wrk asks as Traefik's forwardAuth would: a GET without body, the user's request in X-Forwarded-*.
wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
wrk.headers["Accept"] = "application/json"
wrk.headers["Cookie"] = "session_id=" .. string.rep("kQ3x9_-Zt7", 8) .. "abcd; frontend_lang=de_CH"
wrk.headers["X-Forwarded-For"] = "198.51.100.7"
wrk.headers["X-Forwarded-Host"] = "erp.meridian.example"
wrk.headers["X-Forwarded-Method"] = "POST"
wrk.headers["X-Forwarded-Proto"] = "https"
wrk.headers["X-Forwarded-Uri"] = "/web/dataset/call_kw/res.partner/web_search_read"
