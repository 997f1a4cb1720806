-- One invoice in the form of the read API, deleted or not. $1 account, $2 livemode, $3 id.
SELECT billing_invoice_object(b) FROM billing_invoice b WHERE b.account = $1 AND b.livemode = $2::text::boolean AND b.id = $3
